// The page: its sentences, selectors and sections.

async function show() {
  const [answer, ...exceptions] = all.answers[`${chosen().job}/${chosen().machine}`] ?? [];
  at("answer").textContent = answer ?? "";
  at("exceptions").textContent = exceptions.join(" ");
  const here = all.cells.filter(ofMachine).map(readable).sort((a, b) => place(a) - place(b)), cells = here.filter(ofJob);
  const machines = all.machines.filter((_, i) => chosen().machine === "" || i === +chosen().machine);
  table(at("machines-table"), [["machine", m => m.label], ["processor", m => m.microarchitecture ? `${m.cpu} (${m.microarchitecture})` : m.cpu], ["cores", m => m.cores], ["threads", m => m.threads],
    ["GiB", m => m.memory_gib], ["GPU", m => m.gpu || "none"], ["BLAS", m => m.blas], ["BLAS kernels", m => m.blas_kernels || "-"], ["NumPy", m => m.numpy],
    ["Python", m => m.python], ["CUDA", m => m.cuda || "-"], ["driver", m => m.gpu_driver || "-"], ["OS", m => m.os], ["commit", m => m.commit],
    ["runs", m => m.runs]], machines, "Machines");
  await Promise.all([ladder(cells), speedup(cells), scaling(), anatomy(), roofline(cells), maps(here), past(), learning()]);
  document.body.dataset.drawn = `${chosen().job}/${chosen().machine}`;
}

const listed = (list, texts) => list.append(...texts.map(text => Object.assign(document.createElement("li"), {textContent: text})));
at("scope").textContent = all.scope;
at("source").textContent = all.source;
listed(at("notes"), all.notes);
for (const id of ["noisy", "differences"]) {
  listed(at(id).querySelector("ul"), all[id]);
  at(id).hidden = all[id].length === 0;
}

// One choice for each title, in groups.
const titles = new Map(all.jobs.map((job, i) => [job.title, i]).reverse());
const choices = all.jobs.map((job, i) => ({...job, i})).filter(job => titles.get(job.title) === job.i);
for (const group of by(choices, job => job.group)) {
  const made = Object.assign(document.createElement("optgroup"), {label: group[0].group});
  made.append(...group.map(job => new Option(job.title, job.i)));
  at("job").append(made);
}
at("job").append(new Option("all workloads", ""));
at("machine").append(new Option("all machines", ""), ...all.machines.map((machine, i) => new Option(machine.label, i)));
for (const id of ["faster", "slower"]) at(id).append(...all.trainers.map(trainer => new Option(trainer, trainer)));
// At first, the pair of trainers with the most sizes in common.
const sizes = by(all.cells.filter(c => all.jobs[c.job].width !== null && !c.disturbed), c => `${c.job} ${c.machine}`).map(cells => cells.map(c => c.trainer));
const common = (a, b) => sizes.filter(timed => timed.includes(a) && timed.includes(b)).length;
const pairs = all.trainers.flatMap((slower, i) => all.trainers.slice(i + 1).map(faster => ({slower, faster, sizes: common(slower, faster)})));
const first = pairs.reduce((a, b) => a && a.sizes >= b.sizes ? a : b, null) ?? {slower: all.trainers[0], faster: all.trainers[0]};
for (const id of ["faster", "slower"]) at(id).value = first[id];
for (const id of ["job", "machine", "faster", "slower"]) at(id).onchange = show;

at("save").onclick = async () => {
  const link = Object.assign(document.createElement("a"), {href: URL.createObjectURL(await unpacked("raw").blob()), download: "epochbench.csv"});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
};
show();

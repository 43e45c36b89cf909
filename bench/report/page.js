// Tables and charts of the page.
// The library above is a module, so that its names do not collide with these. It defines window.vegaEmbed.
const all = JSON.parse(document.getElementById("figures").textContent);
const at = id => document.getElementById(id);
const SHAPES = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "triangle-left", "triangle-right"];
const look = range => ({field: "trainer", type: "nominal", scale: {domain: all.trainers, range}, title: null});
const trainerColour = look(all.colours.map(colour => colour === "#000000" ? "currentColor" : colour));  // black is invisible in dark mode
const trainerShape = look(all.trainers.map((_, i) => SHAPES[i % SHAPES.length]));

// --- number formats

const digits = x => x == null ? "-" : x >= 99.95 ? x.toFixed(0) : x >= 1e-3 || x === 0 ? x.toPrecision(3) : x.toFixed(6);
const unit = s => s < 1e-3 ? [1e6, "us"] : s < 1 ? [1e3, "ms"] : [1, "s"];
const duration = s => { const [factor, name] = unit(s); return `${digits(s * factor)} ${name}`; };
const ends = ([value, low, high], factor = 1) => `${digits(low * factor)} to ${digits(high * factor)}`;
const bytes = x => x == null ? "-" : x < 1e6 ? `${digits(x / 1e3)} kB` : x < 1e9 ? `${digits(x / 1e6)} MB` : `${digits(x / 1e9)} GB`;
const percent = x => x == null ? "-" : `${(100 * x).toFixed(1)} %`;

// --- tables: a column is [heading, row => sort key, row => text]

function table(place, columns, rows, caption) {
  const old = place.querySelector("table"), sorted = old ? {column: +old.dataset.column, down: old.dataset.down === "true"} : {column: -1};
  const build = () => {
    const shown = [...rows];
    if (sorted.column >= 0) {
      const value = columns[sorted.column][1];
      shown.sort((a, b) => { const [x, y] = [value(a), value(b)]; return (x == null) - (y == null) || (x > y) - (x < y); });
      if (sorted.down) shown.reverse();
    }
    const made = document.createElement("table"), head = made.createTHead().insertRow();
    made.setAttribute("aria-label", caption);
    Object.assign(made.dataset, {column: sorted.column, down: sorted.down});
    const number = columns.map(column => rows.some(row => typeof column[1](row) === "number"));
    columns.forEach(([heading], i) => {
      const cell = document.createElement("th"), button = document.createElement("button");
      cell.scope = "col"; button.type = "button"; button.textContent = heading; cell.classList.toggle("number", number[i]);
      if (i === sorted.column) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      button.onclick = () => {
        sorted.down = i === sorted.column && !sorted.down; sorted.column = i; build();
        place.querySelectorAll("th button")[i].focus();
      };
      cell.append(button); head.append(cell);
    });
    const body = made.createTBody();
    for (const row of shown) {
      const line = body.insertRow();
      columns.forEach(([, value, text], i) => {
        const cell = line.insertCell();
        cell.textContent = (text ?? value)(row) ?? "-"; cell.classList.toggle("number", number[i]);
      });
    }
    place.replaceChildren(made);
  };
  if (!rows.length) { place.replaceChildren(); return; }
  place.tabIndex = 0; place.setAttribute("role", "region"); place.setAttribute("aria-label", caption);
  build();
}

// --- charts: Vega-Lite, drawn as SVG in the page's own colours

const config = {
  background: null, view: {stroke: null}, font: "system-ui, sans-serif",
  axis: {labelColor: "currentColor", titleColor: "currentColor", tickColor: "currentColor", domainColor: "currentColor",
         gridColor: "currentColor", gridOpacity: .13, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 220},
  legend: {labelColor: "currentColor", orient: "bottom", labelFontSize: 12, columns: matchMedia("(max-width: 40rem)").matches ? 3 : 8},
  title: {color: "currentColor", anchor: "start", fontSize: 13}, text: {fill: "currentColor"}, rule: {color: "currentColor"},
};
function draw(place, spec, values, description) {
  if (place.id) place.closest("section").hidden = values.length === 0;  // before drawing, because a hidden element has no width
  return values.length && vegaEmbed(place, {width: "container", data: {values}, config, description, ...spec}, {actions: false, renderer: "svg"});
}
const tip = (...fields) => fields.map(([field, title]) => ({field, title, type: "nominal"}));
const log = {type: "log", nice: false, padding: 24};

// --- selection

const chosen = () => ({job: at("job").value, machine: at("machine").value});
const name = cell => all.machines[cell.machine].label;
const ofMachine = cell => chosen().machine === "" || cell.machine === +chosen().machine;
const ofJob = cell => chosen().job === "" || cell.job === +chosen().job;
const readable = cell => ({...cell, name: name(cell), title: all.jobs[cell.job].title, kind: all.jobs[cell.job].kind,
  value: cell.seconds[0], low: cell.seconds[1], high: cell.seconds[2], epoch: duration(cell.seconds[0]),
  interval: `${ends(cell.seconds, unit(cell.seconds[0])[0])} ${unit(cell.seconds[0])[1]}`,
  many: cell.speedup ? digits(cell.speedup[0]) : "",
  times: cell.speedup ? `${digits(cell.speedup[0])}x (${ends(cell.speedup)})` : "-", share: percent(cell.limit)});
const ifKnown = (cells, field, column) => cells.some(c => c[field] != null) ? [column] : [];
const byLadder = ["trainer", c => String(all.trainers.indexOf(c.trainer)).padStart(3), c => c.trainer];
const by = (cells, key) => Object.values(Object.groupBy(cells, key));
const fastest = cells => cells.reduce((a, b) => b.seconds[0] < a.seconds[0] ? b : a);

function ladder(cells) {
  const job = chosen().job === "" ? null : chosen().job, whichJob = job === null ? [["workload", c => c.title]] : [];
  const alone = job !== null && new Set(cells.map(c => c.machine)).size === 1;  // one line per trainer; otherwise one per machine
  const values = cells.map(c => ({...c, line: alone ? c.trainer : job === null ? `${c.title} · ${c.name}` : c.name}));
  const lines = new Set(values.map(c => c.line)).size;
  const x = {field: "value", type: "quantitative", scale: log, title: "seconds per epoch (log)"};
  const line = {field: "line", type: "nominal", title: null, sort: null, axis: {grid: true, labelLimit: innerWidth < 640 ? 110 : 260}};
  const spec = {height: 44 * lines, encoding: {y: line}, layer: [
    {mark: {type: "rule", strokeWidth: 2}, encoding: {x: {...x, field: "low"}, x2: {field: "high"}}},
    {mark: {type: "point", filled: true, size: 130, opacity: 1}, encoding: {x, color: trainerColour, shape: trainerShape,
      tooltip: tip(["trainer", "trainer"], ["name", "machine"], ["title", "workload"], ["epoch", "epoch"], ["interval", "95 % interval"], ["times", "speedup over loop"])}},
    {transform: [{window: [{op: "rank", as: "rank"}], sort: [{field: "value"}], groupby: ["line"]}, {filter: "datum.rank === 1"},
                 {calculate: alone ? "datum.epoch + (datum.speedup ? ', ' + datum.many + 'x' : '')" : "datum.trainer + ' ' + datum.epoch", as: "best"}],
     mark: {type: "text", dy: -14, fontWeight: "bold", fontSize: 12}, encoding: {x, text: {field: "best"}}}]};
  table(at("ladder-table"), [
    byLadder, ["machine", c => c.name], ...whichJob, ["epoch", c => c.value, c => c.epoch],
    ["95 % interval", c => c.high - c.low, c => c.interval],
    ["over loop (95 %)", c => c.speedup?.[0], c => c.times], ["examples/s", c => c.rate, c => Math.round(c.rate).toLocaleString("en")],
    ["of peak", c => c.limit, c => c.share], ...ifKnown(cells, "memory", ["memory", c => c.memory, c => bytes(c.memory)]),
    ...ifKnown(cells, "gpu_memory", ["GPU memory", c => c.gpu_memory, c => bytes(c.gpu_memory)]),
    ...ifKnown(cells, "energy", ["epochs/J (95 %)", c => c.energy?.[0][0], c => c.energy ? `${digits(c.energy[0][0])} (${ends(c.energy[0])})` : "-"]),
    ...ifKnown(cells, "energy", ["W (idle)", c => c.energy?.[1], c => c.energy ? `${digits(c.energy[1])} (${digits(c.energy[2])})` : "-"]),
    ["accuracy", c => c.accuracy, c => percent(c.accuracy)],
    ["rounds", c => c.rounds], ["library", c => c.library]], cells, "Trainers");
  const winners = by(cells, c => `${c.name} ${c.title}`).map(fastest);
  at("answer").textContent = cells.length === 0 ? "" : winners.length === 1
    ? `${winners[0].trainer} is fastest on ${winners[0].name}: ${winners[0].epoch} per epoch (95 %: ${winners[0].interval}). Workload ${winners[0].title}.`
    : job === null ? `${cells.length} results: trainers, workloads and machines.`
    : `${fastest(cells).trainer} on ${fastest(cells).name} is fastest: ${fastest(cells).epoch} per epoch (95 %: ${fastest(cells).interval}). Workload ${fastest(cells).title}.`;
  return draw(at("ladder"), spec, values, "Time per epoch of each trainer on each machine");
}

function anatomy() {
  const signed = s => s < 0 ? `-${duration(-s)}` : s === 0 ? "-" : duration(s);
  const cases = all.anatomy.filter(c => (chosen().machine === "" || c.machine === all.machines[+chosen().machine].machine) && ofJob(c))
    .map(c => ({...c, title: all.jobs[c.job].title}));
  const several = key => new Set(cases.map(key)).size > 1;
  const line = c => [c.trainer + (c.overlaps ? " (parts overlap)" : ""), ...(several(c => c.job) ? [c.title] : []), ...(several(c => c.name) ? [c.name] : [])].join(" · ");
  const values = cases.flatMap(c => all.parts.map((part, i) => ({line: line(c), part, order: i, second: c.drawn[i], percent: 100 * c.drawn[i] / c.epoch,
    time: signed(c.parts[i]), share: percent(c.parts[i] / c.epoch)})));
  const spec = (field, title, drawn) => ({height: 30 * cases.length, mark: {type: "bar", height: 20}, encoding: {
    y: {field: "line", type: "nominal", title: null, sort: null, axis: {labelLimit: innerWidth < 640 ? 110 : 260}},
    x: {field, type: "quantitative", title, scale: drawn},
    color: {field: "part", type: "nominal", title: null, scale: {domain: all.parts, range: all.part_colours}}, order: {field: "order"},
    tooltip: tip(["line", "trainer"], ["part", "part"], ["time", "time"], ["share", "of the epoch"])}});
  const whichJob = several(c => c.job) ? [["workload", c => c.title]] : [];
  const cost = (name, factor) => [c => c[name][0], c => c[name][0] == null ? "-" : `${digits(factor * c[name][0])} (${ends(c[name], factor)})`];
  const part = i => [all.parts[i], c => c.parts[i], c => c.parts[i] === 0 ? "-" : `${signed(c.parts[i])}, ${percent(c.parts[i] / c.epoch)}`];
  table(at("anatomy-table"), [byLadder, ["machine", c => c.name], ...whichJob, ["epoch", c => c.epoch, c => duration(c.epoch)],
    part(0), part(1), part(2), part(3), ["a step's calls, us (95 %)", ...cost("step", 1e6)], ["an example's calls, ns (95 %)", ...cost("example", 1e9)],
    ["allocations a step", c => c.allocations],
    ["error of the fit", c => c.error, c => percent(c.error) + (c.holds ? "" : " (does not hold)")]], cases, "Where an epoch's time goes");
  return Promise.all([draw(at("anatomy-seconds"), spec("second", "seconds", {}), values, "Parts of each trainer's epoch in seconds"),
    draw(at("anatomy-percent"), spec("percent", "percent of the epoch", {domain: [0, 100]}), values, "Parts of each trainer's epoch in percent")]);
}

function roofline(cells) {
  const whichJob = chosen().job === "" ? [["workload", c => c.title]] : [];
  const points = cells.filter(c => c.intensity && c.peak[0] && c.peak[1]).map(c => ({...c, rates: digits(c.gflops)}));
  const least = Math.min(...points.map(c => Math.min(c.intensity, c.peak[0] / c.peak[1]))) / 3;
  const most = Math.max(...points.map(c => Math.max(c.intensity, c.peak[0] / c.peak[1]))) * 3;
  const roofs = by(points, c => `${c.machine} ${c.device}`).flatMap(group => {
    const [compute, memory] = [0, 1].map(i => Math.max(...group.map(c => c.peak[i]))), roof = `${group[0].name}, ${group[0].device}`;
    return [least, compute / memory, most].map(x => ({x, y: Math.min(compute, x * memory), roof,
      compute: `${digits(compute)} GFLOP/s`, memory: `${digits(memory)} GB/s`}));
  });
  const spec = {height: 340, layer: [
    {data: {values: roofs}, mark: {type: "line", strokeWidth: 2, color: "currentColor", opacity: .7}, encoding: {
      x: {field: "x", type: "quantitative", scale: {type: "log", nice: false}, title: "operations per byte (log)"},
      y: {field: "y", type: "quantitative", scale: log, title: "GFLOP/s (log)"}, detail: {field: "roof"},
      tooltip: tip(["roof", "peak of"], ["compute", "matrix product"], ["memory", "memory copy"])}},
    {mark: {type: "point", filled: true, size: 110, opacity: 1}, encoding: {x: {field: "intensity", type: "quantitative"},
      y: {field: "gflops", type: "quantitative"}, color: trainerColour, shape: trainerShape,
      tooltip: tip(["trainer", "trainer"], ["name", "machine"], ["title", "workload"], ["rates", "GFLOP/s"], ["share", "of peak"])}}]};
  table(at("roofline-table"), [
    byLadder, ["machine", c => c.name], ...whichJob,
    ["of peak (95 %)", c => c.limit, c => `${c.share} (${[c.high, c.low].map(s => (100 * c.limit * c.value / s).toFixed(1)).join(" to ")})`],
    ["GFLOP/s", c => c.gflops, c => c.rates], ["operations per byte", c => c.intensity, c => digits(c.intensity)]], points, "Percent of peak");
  return draw(at("roofline"), spec, points, "Roofline: operations per second against operations per byte, under the machine's measured peaks");
}

function maps(cells) {
  const grid = cells.filter(c => all.jobs[c.job].width !== null), groups = by(grid, c => `${c.machine} ${all.jobs[c.job].kind}`);
  const [faster, slower] = [at("faster").value, at("slower").value];
  at("maps").replaceChildren();
  at("maps").closest("section").hidden = groups.length === 0;
  const rows = [], drawn = [];
  for (const group of groups) {
    const spots = by(group, c => `${all.jobs[c.job].width} ${all.jobs[c.job].batch}`).map(jobs => {
      const most = Math.max(...jobs.map(c => all.jobs[c.job].examples)), spot = jobs.filter(c => all.jobs[c.job].examples === most);
      const job = all.jobs[spot[0].job], best = fastest(spot), find = trainer => spot.find(c => c.trainer === trainer)?.seconds;
      const [a, b] = [find(slower), find(faster)], times = a && b ? a[0] / b[0] : null;
      // From the far ends of both intervals: covers more than 95 %, but works for any two trainers.
      const between = a && b ? `${digits(a[1] / b[2])} to ${digits(a[2] / b[1])}` : "";
      return {name: best.name, kind: job.kind, width: job.width, batch: job.batch, trainer: best.trainer, epoch: best.epoch, interval: best.interval,
              times, between, shown: times ? `${digits(times)}x` : ""};
    });
    rows.push(...spots);
    const ordinal = (field, title, sort) => ({field, type: "ordinal", title, sort, axis: {labelAngle: 0, ticks: false, domain: false}});
    const place = {x: ordinal("batch", "mini-batch size", "ascending"), y: ordinal("width", "hidden units", "descending")};
    const tooltip = tip(["trainer", "fastest"], ["epoch", "epoch"], ["interval", "95 % interval"],
                        ["shown", `${faster} over ${slower}`], ["between", "its interval (95 % or more)"]);
    const layers = (rect, text) => [{mark: {type: "rect", stroke: "white", strokeWidth: 1}, encoding: {...rect, tooltip}},
                                    {mark: {type: "text", fontWeight: "bold", fill: "black"}, encoding: {text: {field: text}}}];
    const pair = [
      [`${group[0].name}, ${group[0].kind}: fastest trainer`, layers({color: {...trainerColour, legend: null}, opacity: {value: .75}}, "trainer"), spots],
      [`${group[0].name}, ${group[0].kind}: speedup of ${faster} over ${slower}`, layers({color: {field: "times", type: "quantitative", title: null,
        legend: null,
        scale: {type: "threshold", domain: [1, 10], range: ["#b8a9d9", "#fde0b4", "#f0954a"]}}}, "shown"), spots.filter(s => s.times)]];
    for (const [title, layer, values] of pair) {
      const box = document.createElement("div");
      at("maps").append(box);
      drawn.push(draw(box, {height: 46 * new Set(values.map(s => s.width)).size, title, encoding: place, layer}, values, title));
    }
  }
  table(at("maps-table"), [["machine", r => r.name], ["dtype", r => r.kind], ["hidden units", r => r.width], ["mini-batch size", r => r.batch], ["fastest", r => r.trainer],
    ["epoch", r => r.epoch], ["95 % interval", r => r.interval], [`${faster} over ${slower}`, r => r.times, r => r.shown],
    ["its interval (95 % or more)", r => r.between]], rows, "Fastest trainer by mini-batch size and width");
  return Promise.all(drawn);
}

function learning() {
  const curves = all.curves.filter(c => chosen().machine === "" || c.machine === all.machines[+chosen().machine].machine);
  const values = curves.flatMap(c => c.seconds.map((second, i) => ({trainer: c.trainer, machine: c.machine, title: c.title, epoch: c.epochs[i],
    run: `${c.machine} ${c.run} ${c.trainer} ${c.title}`, second, accuracy: 100 * c.accuracy[i], after: duration(second), reached: percent(c.accuracy[i])})));
  const spec = {height: 320, mark: {type: "line", point: {size: 30}, strokeWidth: 1.5}, encoding: {
    x: {field: "second", type: "quantitative", scale: {type: "log", nice: false}, title: "training time in seconds (log)"},
    y: {field: "accuracy", type: "quantitative", scale: {zero: false}, title: "test accuracy, %"}, detail: {field: "run"},
    color: trainerColour, tooltip: tip(["trainer", "trainer"], ["machine", "machine"], ["title", "workload"], ["epoch", "epoch"], ["after", "training time"], ["reached", "accuracy"])}};
  const best = curves.map(c => { const i = c.accuracy.indexOf(Math.max(...c.accuracy)); return {...c, best: c.accuracy[i], epoch: c.epochs[i], after: c.seconds[i]}; });
  table(at("learning-table"), [byLadder, ["machine", c => c.machine], ["workload", c => c.title],
    ["best accuracy", c => c.best, c => percent(c.best)], ["at epoch", c => c.epoch], ["training time", c => c.after, c => duration(c.after)]], best, "Learning curves");
  return draw(at("learning"), spec, values, "Test accuracy against training time");
}

async function show() {
  const place = cell => all.trainers.indexOf(cell.trainer);
  const here = all.cells.filter(ofMachine).map(readable).sort((a, b) => place(a) - place(b));
  const machines = all.machines.filter((_, i) => chosen().machine === "" || i === +chosen().machine);
  table(at("machines-table"), [["machine", m => m.label], ["processor", m => m.microarchitecture ? `${m.cpu} (${m.microarchitecture})` : m.cpu], ["cores", m => m.cores], ["threads", m => m.threads],
    ["GiB", m => m.memory_gib], ["GPU", m => m.gpu || "none"], ["BLAS", m => m.blas], ["BLAS kernels", m => m.blas_kernels || "-"], ["NumPy", m => m.numpy],
    ["Python", m => m.python], ["CUDA", m => m.cuda || "-"], ["driver", m => m.gpu_driver || "-"], ["OS", m => m.os], ["commit", m => m.commit],
    ["runs", m => m.runs]], machines, "Machines");
  await Promise.all([ladder(here.filter(ofJob)), anatomy(), roofline(here.filter(ofJob)), maps(here), learning()]);
  document.body.dataset.drawn = `${chosen().job}/${chosen().machine}`;
}

const option = (select, value, text) => select.append(new Option(text, value));
all.jobs.forEach((job, i) => option(at("job"), i, job.title));
option(at("job"), "", "all workloads");
option(at("machine"), "", "all machines");
all.machines.forEach((machine, i) => option(at("machine"), i, machine.label));
for (const id of ["faster", "slower"]) all.trainers.forEach(trainer => option(at(id), trainer, trainer));
at("slower").value = all.trainers[0];
const wins = by(all.cells.filter(c => all.jobs[c.job].width !== null), c => `${c.job} ${c.machine}`).map(cell => fastest(cell).trainer);
at("faster").value = all.trainers.slice(1).sort((a, b) => wins.filter(t => t === b).length - wins.filter(t => t === a).length)[0] ?? all.trainers[0];
all.notes.forEach(note => { const line = document.createElement("li"); line.textContent = note; at("notes").append(line); });
for (const id of ["job", "machine", "faster", "slower"]) at(id).onchange = show;

at("save").onclick = async () => {
  const packed = Uint8Array.from(atob(at("raw").textContent), letter => letter.charCodeAt(0));
  const rows = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).blob();
  const link = Object.assign(document.createElement("a"), {href: URL.createObjectURL(rows), download: "epochbench.csv"});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
};
show();

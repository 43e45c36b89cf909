// The fastest trainer by mini-batch size and width, and the speedup of one trainer over another.

const SPEEDUPS = {domain: [1, 10], range: ["#b8a9d9", "#fde0b4", "#f0954a"]};

// What is known of one size: its fastest undisturbed trainer, and the speedup of the chosen pair.
function spot(cells, faster, slower) {
  const largest = Math.max(...cells.map(c => all.jobs[c.job].examples)), timed = cells.filter(c => all.jobs[c.job].examples === largest);
  const job = all.jobs[timed[0].job], best = fastest(timed), find = trainer => timed.find(c => c.trainer === trainer && !c.disturbed)?.seconds;
  const [a, b] = [find(slower), find(faster)], ratio = a && b ? a[0] / b[0] : null;
  // From the far ends of both intervals: covers more than 95 %, but works for any two trainers.
  const range = ratio ? `${digits(a[1] / b[2])} to ${digits(a[2] / b[1])}` : "";
  const both = [slower, faster].every(trainer => timed.some(c => c.trainer === trainer));
  return {name: timed[0].name, kind: job.kind, width: job.width, batch: job.batch, trainer: best?.trainer ?? "", epoch: best?.epoch ?? "-",
          interval: best?.interval ?? "-", seconds: best?.value, lead: all.leads[`${timed[0].job}/${timed[0].machine}`] ?? "", ratio, range, shown: ratio ? `${digits(ratio)}x` : both ? "disturbed" : ""};
}

function maps(cells) {
  const groups = by(cells.filter(c => all.jobs[c.job].width !== null), c => `${c.machine} ${all.jobs[c.job].kind}`);
  const [faster, slower] = [at("faster").value, at("slower").value];
  at("maps").replaceChildren();
  at("maps").closest("section").hidden = groups.length === 0;
  const found = [], drawn = [];
  for (const group of groups) {
    const spots = by(group, c => `${all.jobs[c.job].width} ${all.jobs[c.job].batch}`).map(sizes => spot(sizes, faster, slower));
    found.push(...spots);
    const heading = document.createElement("h3"), pair = document.createElement("div");
    heading.textContent = `${group[0].name}, ${all.jobs[group[0].job].kind}`;
    pair.className = "pair";
    at("maps").append(heading, pair);
    const sizes = field => distinct(spots, s => s[field]).sort((a, b) => a - b), columns = sizes("batch").length;
    const ordinal = (field, title, domain) => ({field, type: "ordinal", title, scale: {domain}, axis: {labelAngle: 0, ticks: false, domain: false}});
    const encoding = {x: ordinal("batch", "mini-batch size", sizes("batch")), y: ordinal("width", "hidden units", sizes("width").reverse())};
    const tooltip = tip(["trainer", "fastest"], ["lead", "over the second"], ["epoch", "epoch"], ["interval", "95 % interval"],
                        ["shown", `${faster} over ${slower}`], ["range", "its interval (95 % or more)"]);
    const map = (title, fill, values, text, colour) => {
      const place = figure(pair, title), room = (place.clientWidth - 60) / columns, fontSize = room < 70 ? 9 : 11;
      const words = values.map(s => ({...s, text: text(s).split("\n").flatMap(line => wrap(line, Math.max(4, Math.floor(room / (.63 * fontSize))), 3)), ink: colour(s) ? ink(colour(s)) : "currentColor"}));
      const lines = Math.max(1, ...words.map(s => s.text.length));
      const layer = [{mark: {type: "rect", stroke: "var(--paper)", strokeWidth: 2}, encoding: {fill, tooltip}},
        {mark: {type: "text", fontWeight: "bold", fontSize, lineHeight: 13, limit: room, dy: {expr: "-6.5 * (length(datum.text) - 1)"}},
         encoding: {text: {field: "text"}, fill: {condition: ["#000", "#fff"].map(value => ({test: `datum.ink === '${value}'`, value})), value: "currentColor"}}}];
      drawn.push(draw(place, {height: Math.max(40, 13 * lines + 12) * sizes("width").length, encoding, layer}, words, title));
    };
    map("Fastest trainer, and its speedup over the second", {...trainerColour, condition: {test: "datum.trainer === ''", value: "transparent"}}, spots, s => s.trainer ? [s.trainer, s.lead].filter(Boolean).join("\n") : "disturbed",
      s => s.trainer && all.colours[place(s)]);
    if (spots.some(s => s.ratio)) {
      const fill = {field: "ratio", type: "quantitative", legend: null, scale: {type: "threshold", ...SPEEDUPS}, condition: {test: "!datum.ratio", value: "transparent"}};
      map(`Speedup of ${faster} over ${slower}`, fill, spots, s => s.shown, s => s.ratio && "#fde0b4");
    }
  }
  table(at("maps-table"), [whichMachine, ["dtype", r => r.kind], ["hidden units", r => r.width], ["mini-batch size", r => r.batch],
    ["fastest", r => r.trainer || null], ["over the second", r => parseFloat(r.lead) || null, r => r.lead || "-"], ["epoch", r => r.seconds, r => r.epoch], ["95 % interval", r => r.seconds, r => r.interval],
    [`${faster} over ${slower}`, r => r.ratio, r => r.shown || "-"], ["its interval (95 % or more)", r => r.ratio, r => r.range || "-"]],
    found, "Fastest trainer by mini-batch size and width");
  return Promise.all(drawn);
}

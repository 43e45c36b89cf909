// Epoch time of each trainer, and its speedup over loop.

// One row per trainer if there is one job and one machine; otherwise one row per machine and job, the fastest first, and the best trainer is named.
function rows(box, cells, {title, best, text, description, one}) {
  const jobs = several(cells, c => c.job), machines = several(cells, c => c.machine), alone = !jobs && !machines;
  const lowest = Math.min(...cells.map(c => c.low ?? c.value), one ?? Infinity), highest = Math.max(...cells.map(c => c.high ?? c.value), one ?? 0);
  const first = new Map(by(cells, c => `${c.job} ${c.machine}`).map(line => [`${line[0].job} ${line[0].machine}`, best(line.filter(c => !c.disturbed))]));
  const behind = c => { const found = first.get(`${c.job} ${c.machine}`); return !found ? Infinity : best === least ? found.value : 1 / found.value; };
  const inOrder = cells.toSorted((a, b) => a.job - b.job || behind(a) - behind(b) || a.machine - b.machine || place(a) - place(b));
  const values = inOrder.map(c => ({...c, right: c.value > Math.sqrt(lowest * highest), line: alone ? label(c.trainer, c.disturbed && "(disturbed)")
    : label((machines || !jobs) && c.name, jobs && c.short)}));
  const named = alone ? values.map(c => ({...c, text: text(c)}))
    : by(values, c => c.line).flatMap(line => { const found = best(line.filter(c => !c.disturbed)); return [found ? {...found, text: `${cut(found.trainer, narrow() ? 16 : 40)} ${text(found)}`} : {...line[0], text: "(disturbed)"}]; });
  const lines = distinct(values, c => c.line), scale = {...log, domain: [lowest, highest]};
  const along = {field: "value", type: "quantitative", scale, title, axis: {orient: lines.length > 15 ? "top" : "bottom"}};
  const beside = align => ({data: {values: named.filter(c => c.right === (align === "right"))}, encoding: {x: along, text: {field: "text"}},
    mark: {type: "text", dy: -14, dx: align === "right" ? 6 : -6, align, limit: {expr: align === "right" ? "scale('x', datum.value)" : "width - scale('x', datum.value) + 6"}, fontWeight: "bold", fontSize: 12}});
  const spec = {height: rowHeight(lines) * lines.length, encoding: {y: {field: "line", type: "nominal", title: null, sort: lines, axis: {...labelAxis, grid: true}}}, layer: [
    ...(one ? [{data: {values: [{}]}, mark: {type: "rule", strokeDash: [3, 3]}, encoding: {x: {datum: one, type: "quantitative"}, y: {value: 0}, y2: {value: "height"}}}] : []),
    {mark: {type: "rule", strokeWidth: 2}, encoding: {x: {...along, field: "low"}, x2: {field: "high"}}},
    {mark: {type: "point", size: 130, opacity: 1, strokeWidth: 1.5}, encoding: {x: along, ...trainerPoint,
      tooltip: tip(["trainer", "trainer"], ["name", "machine"], ["title", "workload"], ["epoch", "epoch"], ["interval", "95 % interval"], ["times", "speedup over loop"])}},
    beside("left"), beside("right")]};
  return draw(box, spec, values, description, alone ? disturbedEntry(values) : trainerEntries(values));
}

const least = cells => cells.reduce((a, b) => a && a.value <= b.value ? a : b, null);
const most = cells => cells.reduce((a, b) => a && a.value >= b.value ? a : b, null);

function ladder(cells) {
  table(at("ladder-table"), [
    byLadder, ["epoch", c => c.value, c => c.epoch],
    ["95 % interval", c => c.value, c => c.interval],  // by its centre, the median
    whichMachine, ...whichJob(cells),
    ["over loop (95 %)", c => c.speedup?.[0], c => c.times], ["examples/s", c => c.rate, c => Math.round(c.rate).toLocaleString("en")],
    ["of peak", c => c.limit, c => c.share], ...ifKnown(cells, "memory", ["memory", c => c.memory, c => bytes(c.memory)]),
    ...ifKnown(cells, "gpu_memory", ["GPU memory", c => c.gpu_memory, c => bytes(c.gpu_memory)]),
    ...ifKnown(cells, "energy", ["epochs/J (95 %)", c => c.energy?.[0][0], c => c.energy ? `${digits(c.energy[0][0])} (${ends(c.energy[0])})` : "-"]),
    ...ifKnown(cells, "energy", ["W (idle)", c => c.energy?.[1], c => c.energy ? `${digits(c.energy[1])} (${digits(c.energy[2])})` : "-"]),
    ["accuracy", c => c.accuracy, c => percent(c.accuracy)],
    ["rounds", c => c.rounds], ["library", c => c.library]], cells, "Trainers");
  const values = cells.map(c => ({...c, low: c.seconds[1], high: c.seconds[2]}));
  return rows(at("ladder"), values, {title: "seconds per epoch (log)", best: least, text: c => c.epoch, description: "Time per epoch of each trainer on each machine"});
}

function speedup(cells) {
  const values = cells.filter(c => c.speedup).map(c => ({...c, value: c.speedup[0], low: c.speedup[1], high: c.speedup[2], disturbed: c.disturbed || c.loop_disturbed}));
  return rows(at("speedup"), values, {title: "speedup over loop (log)", best: most, text: c => `${digits(c.value)}x`, description: "Speedup of each trainer over loop on each machine", one: 1});
}

// Percent of the machine's measured peaks.

function roofline(cells) {
  const points = cells.filter(c => c.intensity && c.peak[0] && c.peak[1]).map(c => ({...c, rates: digits(c.gflops)}));
  const left = Math.min(...points.map(c => Math.min(c.intensity, c.peak[0] / c.peak[1]))) / 3;
  const right = Math.max(...points.map(c => Math.max(c.intensity, c.peak[0] / c.peak[1]))) * 3;
  const roofs = by(points, c => `${c.machine} ${c.device}`).flatMap(group => {
    const [compute, memory] = [0, 1].map(i => Math.max(...group.map(c => c.peak[i]))), name = `${group[0].name}, ${group[0].device}`;
    return [left, compute / memory, right].map(x => ({x, y: Math.min(compute, x * memory), name,
      compute: `${digits(compute)} GFLOP/s`, memory: `${digits(memory)} GB/s`}));
  });
  const names = distinct(roofs, roof => roof.name);
  const spec = values => ({height: 340, layer: [
    {data: {values: roofs.filter(roof => values.some(c => roof.name === `${c.name}, ${c.device}`))}, mark: {type: "line", strokeWidth: 2, color: "currentColor", opacity: .7}, encoding: {
      x: {field: "x", type: "quantitative", scale: {type: "log", nice: false}, title: "operations per byte (log)"},
      y: {field: "y", type: "quantitative", scale: log, title: "GFLOP/s (log)"}, detail: {field: "name"}, strokeDash: dashes(names),
      tooltip: tip(["name", "peak of"], ["compute", "matrix product"], ["memory", "memory copy"])}},
    {mark: {type: "point", size: 110, opacity: 1, strokeWidth: 1.5}, encoding: {x: {field: "intensity", type: "quantitative"},
      y: {field: "gflops", type: "quantitative"}, ...trainerPoint,
      tooltip: tip(["trainer", "trainer"], ["name", "machine"], ["title", "workload"], ["rates", "GFLOP/s"], ["share", "of peak"])}}]});
  table(at("roofline-table"), [
    byLadder, whichMachine, ...whichJob(points),
    ["of peak (95 %)", c => c.limit, c => `${c.share} (${[c.seconds[2], c.seconds[1]].map(s => percent(c.limit * c.value / s)).join(" to ")})`],
    ["GFLOP/s", c => c.gflops, c => c.rates], ["operations per byte", c => c.intensity, c => digits(c.intensity)]], points, "Percent of peak");
  at("roofline").replaceChildren();
  at("roofline").closest("section").hidden = points.length === 0;
  // A panel for the processors and one for each kind of GPU, whose roofs are far apart.
  return Promise.all(by(points, c => c.device).map(values => {
    const device = values[0].device, mine = distinct(values, c => `${c.name}, ${c.device}`);
    return draw(figure(at("roofline"), device.toUpperCase() === "CPU" || device === "gpu" ? device.toUpperCase() : device), spec(values), values,
      `Roofline of ${device}: operations per second against operations per byte, under the machine's measured peaks`,
      [...trainerEntries(values), ...machineEntries(mine, names)]);
  }));
}

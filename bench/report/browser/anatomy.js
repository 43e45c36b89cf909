// The parts of an epoch.

function anatomy() {
  const signed = s => s < 0 ? `-${duration(-s)}` : s === 0 ? "-" : duration(s);
  const cases = selected(all.anatomy).map(c => ({...c, line: label(c.trainer, c.overlaps && "(parts overlap)", !c.holds && "(uncertain)", c.disturbed && "(disturbed)")}));
  const parts = cases.flatMap(c => all.parts.map((part, i) => ({...c, part, order: i, second: c.drawn[i], percent: 100 * c.drawn[i] / c.epoch,
    time: signed(c.parts[i]), share: percent(c.parts[i] / c.epoch)})));
  const colour = look(all.part_colours, "part", all.parts);
  const spec = (values, field, title, scale) => {
    const lines = distinct(values, c => c.line);
    return {height: rowHeight(lines, 30) * lines.length, mark: {type: "bar", height: 20, strokeWidth: 1}, encoding: {
      y: {field: "line", type: "nominal", title: null, sort: lines, axis: labelAxis}, x: {field, type: "quantitative", title, scale},
      ...hollow(colour), order: {field: "order"}, tooltip: tip(["line", "trainer"], ["part", "part"], ["time", "time"], ["share", "of the epoch"])}};
  };
  const cost = (name, factor) => [c => c[name][0], c => c[name][0] == null ? "-" : `${digits(factor * c[name][0])} (${ends(c[name], factor)})`];
  const part = i => [all.parts[i], c => c.parts[i], c => c.parts[i] === 0 ? "-" : `${signed(c.parts[i])}, ${percent(c.parts[i] / c.epoch)}`];
  table(at("anatomy-table"), [byLadder, whichMachine, ...whichJob(cases), ["epoch", c => c.epoch, c => duration(c.epoch)],
    part(0), part(1), part(2), part(3), ["a step's calls, us (95 %)", ...cost("step", 1e6)], ["an example's calls, ns (95 %)", ...cost("example", 1e9)],
    ["allocations a step", c => c.allocations],
    ["error of the fit", c => c.error, c => percent(c.error) + (c.holds ? "" : " (does not hold)")]], cases, "Where an epoch's time goes");
  const entries = values => [...all.parts.flatMap((part, i) => values.some(c => c.part === part && c.second > 0)
    ? [entry(part, {colour: all.part_colours[i], shape: SQUARE, width: 14})] : []), ...disturbedEntry(values)];
  return panels(at("anatomy"), parts, values => [["Seconds", spec(values, "second", "seconds", {})],
    ["Percent", spec(values, "percent", "percent of the epoch", {domain: [0, 100]})]], entries);
}

// Speedup and efficiency over ranks.

function scaling() {
  const lines = selected(all.scaling);
  // Weak scaling is drawn a little to the right, so that no interval covers another.
  const points = lines.flatMap(line => line.points.map(({ranks, speedup, disturbed}) => ({...line, run: `${line.kind} ${line.trainer}`, ranks, disturbed,
    at: ranks * (line.kind === "weak" ? 2 ** .03 : 1),
    speedup: speedup[0], low: speedup[1], high: speedup[2], times: times(speedup), efficiency: speedup[0] / ranks, efficiency_low: speedup[1] / ranks,
    efficiency_high: speedup[2] / ranks, share: percent(speedup[0] / ranks), shares: ends(speedup, 100 / ranks) + " %"})));
  const spec = (values, field, low, high, axis, ideal) => {
    const counts = distinct(values, v => v.ranks), y = {field, type: "quantitative", ...axis};
    const x = {field: "at", type: "quantitative", title: "ranks (log)", scale: {type: "log", base: 2, nice: false, padding: 24}, axis: {values: counts, format: ",d"}};
    return {height: 240, layer: [
      {data: {values: counts.map(ranks => ({at: ranks, [field]: ideal(ranks)}))}, mark: {type: "line", strokeDash: [1, 3], color: "currentColor"}, encoding: {x, y}},
      {mark: {type: "rule"}, encoding: {x, y: {...y, field: low}, y2: {field: high}, stroke: trainerColour}},
      {mark: {type: "line", strokeWidth: 1.5}, encoding: {x, y, detail: {field: "run"}, stroke: trainerColour,
        strokeDash: {field: "kind", type: "nominal", legend: null, scale: {domain: ["strong", "weak"], range: [[1, 0], [6, 4]]}}}},
      {mark: {type: "point", size: 90, opacity: 1, strokeWidth: 1.5}, encoding: {x, y, ...trainerPoint,
        tooltip: tip(["trainer", "trainer"], ["name", "machine"], ["title", "workload"], ["kind", "scaling"], ["times", "speedup (95 %)"], ["share", "efficiency"])}}]};
  };
  table(at("scaling-table"), [byLadder, whichMachine, ...whichJob(points), ["scaling", v => v.kind], ["ranks", v => v.ranks],
    ["speedup", v => v.speedup, v => v.times], ["efficiency", v => v.efficiency, v => `${v.share} (${v.shares})`]], points, "Scaling over ranks");
  return panels(at("scaling"), points, values => [
    ["Speedup", spec(values, "speedup", "low", "high", {title: "speedup over one rank (log)", axis: {values: doublings(values.flatMap(v => [v.low, v.high, v.ranks]))},
      scale: {type: "log", base: 2, nice: false, padding: 12}}, ranks => ranks)],
    ["Efficiency", spec(values, "efficiency", "efficiency_low", "efficiency_high", {title: "efficiency", axis: {format: "%"}, scale: {zero: true}}, () => 1)]],
    values => [...trainerEntries(values), entry("strong", {dash: [1, 0], width: 34}), entry("weak", {dash: [6, 4], width: 34}), entry("ideal", {dash: [1, 3], width: 34})]);
}

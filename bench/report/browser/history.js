// Speedup of each trainer over the first commit.

function past() {
  const points = selected(all.history).flatMap(course => course.points.map(point => ({...course, ...point, place: `${point.started_at} ${point.commit}`,
    run: `${course.trainer} ${point.environment}`, value: point.over_first[0], low: point.over_first[1], high: point.over_first[2],
    time: duration(point.epoch[0]), times: times(point.over_first), differs: point.marks.join("; ") || "-",
    turn: !point.change ? "-" : point.change[0] > 1 ? `${digits(point.change[0])}x faster` : `${digits(1 / point.change[0])}x slower`})));
  table(at("history-table"), [byLadder, whichMachine, ...whichJob(points), ["commit", p => p.commit], ["measured", p => p.started_at, p => p.started_at.slice(0, 10)],
    ["epoch", p => p.epoch[0], p => p.time], ["over the first (95 %)", p => p.value, p => p.times], ["change", p => p.change?.[0], p => p.turn],
    ["environment", p => p.differs]], points, "History over commits");
  return panels(at("history"), points, values => {
    const offset = {field: "trainer", type: "nominal", scale: {domain: all.trainers.filter(trainer => values.some(v => v.trainer === trainer))}};
    const x = {field: "place", type: "ordinal", title: "commit", sort: "ascending", scale: {paddingInner: .6, paddingOuter: .3},
      axis: {labelAngle: 0, labelExpr: "slice(split(datum.label, ' ')[1], 0, 7)", labelOverlap: "greedy"}};
    const y = {field: "value", type: "quantitative", title: "speedup over the first (log)", axis: {values: doublings(values.flatMap(v => [v.low, v.high]))},
      scale: {type: "log", base: 2, nice: false, padding: 12}};
    return [["Speedup over the first commit", {height: 240, layer: [
      {data: {values: [{}]}, mark: {type: "rule", strokeDash: [3, 3]}, encoding: {y: {datum: 1, type: "quantitative"}}},
      {mark: {type: "rule"}, encoding: {x, xOffset: offset, y: {...y, field: "low"}, y2: {field: "high"}, stroke: trainerColour}},
      {mark: {type: "line", strokeWidth: 1.5}, encoding: {x, xOffset: offset, y, detail: {field: "run"}, stroke: trainerColour}},
      {transform: [{filter: "datum.change"}], mark: {type: "point", shape: "circle", size: 420, stroke: "currentColor", strokeWidth: 1.5}, encoding: {x, xOffset: offset, y}},
      {mark: {type: "point", size: 90, opacity: 1, strokeWidth: 1.5}, encoding: {x, xOffset: offset, y, ...trainerPoint, tooltip: tip(["trainer", "trainer"], ["commit", "commit"],
        ["started_at", "measured"], ["time", "epoch"], ["times", "over the first (95 %)"], ["turn", "change"], ["differs", "environment"])}}]}]];
  });
}

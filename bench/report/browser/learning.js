// Test accuracy against training time.

function learning() {
  const curves = selected(all.curves), machines = distinct(curves, c => c.name);
  const values = curves.flatMap(c => c.seconds.map((second, i) => ({trainer: c.trainer, name: c.name, title: c.title, disturbed: c.disturbed, epoch: c.epochs[i],
    run: `${c.name} ${c.run} ${c.trainer} ${c.title}`, second, accuracy: 100 * c.accuracy[i], after: duration(second), reached: percent(c.accuracy[i])})));
  const encoding = {x: {field: "second", type: "quantitative", scale: {type: "log", nice: false}, title: "training time in seconds (log)"},
    y: {field: "accuracy", type: "quantitative", scale: {zero: false}, title: "test accuracy, %"}};
  const tooltip = tip(["trainer", "trainer"], ["name", "machine"], ["title", "workload"], ["epoch", "epoch"], ["after", "training time"], ["reached", "accuracy"]);
  const spec = {height: 320, encoding, layer: [
    {mark: {type: "line", strokeWidth: 1.5}, encoding: {detail: {field: "run"}, stroke: trainerColour, strokeDash: dashes(machines)}},
    {mark: {type: "point", size: 60, opacity: 1, strokeWidth: 1}, encoding: {...trainerPoint, tooltip}}]};
  const best = curves.map(c => { const i = c.accuracy.indexOf(Math.max(...c.accuracy)); return {...c, best: c.accuracy[i], epoch: c.epochs[i], after: c.seconds[i]}; });
  table(at("learning-table"), [byLadder, whichMachine, ["workload", c => c.title], ["best accuracy", c => c.best, c => percent(c.best)],
    ["at epoch", c => c.epoch], ["training time", c => c.after, c => duration(c.after)]], best, "Learning curves");
  return draw(at("learning"), spec, values, "Test accuracy against training time", [...trainerEntries(values), ...machineEntries(machines)]);
}

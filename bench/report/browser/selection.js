// The chosen workload and machine, and the rows that belong to them.

const chosen = () => ({job: at("job").value, machine: at("machine").value});
// Jobs with the same title are one choice.
const ofJob = row => chosen().job === "" || all.jobs[row.job].title === all.jobs[+chosen().job].title;
const ofMachine = row => chosen().machine === "" || (row.machines ?? [row.machine]).includes(+chosen().machine);
const selected = rows => rows.filter(row => ofJob(row) && ofMachine(row)).map(row => ({...row, title: all.jobs[row.job].title, short: all.jobs[row.job].short}));
const several = (rows, key) => distinct(rows, key).length > 1;

const readable = cell => ({...cell, name: all.machines[cell.machine].label, title: all.jobs[cell.job].title, short: all.jobs[cell.job].short,
  value: cell.seconds[0], epoch: duration(cell.seconds[0]), interval: between(cell.seconds), times: times(cell.speedup), share: percent(cell.limit)});
const place = row => all.trainers.indexOf(row.trainer);

const ifKnown = (cells, field, column) => cells.some(c => c[field] != null) ? [column] : [];
const byLadder = ["trainer", c => String(place(c)).padStart(3), c => c.trainer + (c.disturbed ? " (disturbed)" : "")];
const whichMachine = ["machine", c => c.name];
const whichJob = rows => several(rows, c => c.title) ? [["workload", c => c.title]] : [];
const by = (cells, key) => [...Map.groupBy(cells, key).values()];
const fastest = cells => cells.filter(c => !c.disturbed).reduce((a, b) => a && a.seconds[0] <= b.seconds[0] ? a : b, null);

// Charts: Vega-Lite, drawn as SVG in the page's own colours. The legends are HTML, which wraps, and list only what is drawn.

const narrow = () => innerWidth < 640;
const config = {
  background: null, view: {stroke: null}, font: "system-ui, sans-serif",
  axis: {labelColor: "currentColor", titleColor: "currentColor", tickColor: "currentColor", domainColor: "currentColor",
         gridColor: "currentColor", gridOpacity: .13, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 0, labelSeparation: 6},
  text: {fill: "currentColor"}, rule: {color: "currentColor"},
};

function draw(place, spec, values, description, entries = []) {
  if (place.id) place.closest("section").hidden = values.length === 0;  // before drawing, because a hidden element has no width
  const drawing = document.createElement("div"), legend = document.createElement("ul");
  drawing.className = "drawing"; legend.className = "legend";
  legend.append(...entries);
  place.replaceChildren(drawing, ...(entries.length ? [legend] : []));
  return values.length && vegaEmbed(drawing, {width: "container", data: {values}, config, description, ...spec}, {actions: false, renderer: "svg"});
}

// A chart with a title, for sections with several.
function figure(parent, title) {
  const box = document.createElement("figure"), caption = document.createElement("figcaption"), place = document.createElement("div");
  caption.textContent = title;
  box.append(caption, place);
  parent.append(box);
  return place;
}

// Charts under a heading for each machine and workload: `charts` returns [title, spec] of each from the rows.
function panels(place, rows, charts, entries = trainerEntries) {
  place.replaceChildren();
  place.closest("section").hidden = rows.length === 0;
  return Promise.all(by(rows, row => JSON.stringify([row.name, row.threads, row.ranks_of_machine, row.title])).flatMap(values => {
    const heading = document.createElement("h3"), pair = document.createElement("div"), [row] = values;
    const counts = [[row.threads, "thread"], [row.ranks_of_machine > 1 && row.ranks_of_machine, "rank"]].filter(([count]) => count);
    heading.textContent = `${[row.name, ...counts.map(([count, noun]) => `${count} ${noun}${count === 1 ? "" : "s"}`)].join(", ")}: ${row.short}`;
    pair.className = "pair";
    place.append(heading, pair);
    return charts(values).map(([title, spec]) => draw(figure(pair, title), spec, values, `${title}: ${heading.textContent}`, entries(values)));
  }));
}

const tip = (...fields) => fields.map(([field, title]) => ({field, title, type: "nominal"}));
const log = {type: "log", nice: false, padding: 24};
// Powers of two, for an axis of ratios near 1.
const doublings = ratios => Array.from({length: 40}, (_, i) => 2 ** (i - 20)).filter(x => x > Math.min(...ratios) / 1.5 && x < Math.max(...ratios) * 1.5);

// --- how a trainer, a machine and a disturbed case look

const look = (range, field = "trainer", domain = all.trainers) => ({field, type: "nominal", scale: {domain, range}, legend: null});
const trainerColour = look(all.colours), trainerShape = look(all.shapes);
const hollow = colour => ({stroke: colour, fill: {...colour, condition: {test: "datum.disturbed", value: "var(--paper)"}}});
const trainerPoint = {...hollow(trainerColour), shape: trainerShape};
const DASHES = [[1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [14, 4], [5, 2, 1, 2, 1, 2], [1, 4], [12, 2, 4, 2], [4, 6], [9, 2, 2, 2, 2, 2]];
const dashes = machines => look(machines.map((_, i) => DASHES[i % DASHES.length]), "name", machines);
const distinct = (rows, key) => [...new Set(rows.map(key))];

// --- lines and labels

// The label of a row, on several lines if it is long.
const label = (...parts) => parts.filter(Boolean).flatMap(part => wrap(part, narrow() ? 17 : 38)).join("\n");
const labelAxis = {labelExpr: "split(datum.label, '\\n')", labelLineHeight: 14, labelPadding: 8};
const rowHeight = (lines, least = 44) => Math.max(least, 14 * Math.max(1, ...lines.map(line => line.split("\n").length)) + 14);
const luminance = colour => [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16) / 255)
  .map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4).reduce((sum, part, i) => sum + part * [.2126, .7152, .0722][i], 0);
const ink = colour => luminance(colour) > .18 ? "#000" : "#fff";  // black or white, whichever has more contrast

// --- legends

function entry(text, {colour = "currentColor", shape, dash, fill = colour, width = 22}) {
  const made = document.createElement("li"), svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const part = (name, attributes) => {
    const element = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    svg.append(element);
  };
  svg.setAttribute("width", width); svg.setAttribute("height", 14); svg.setAttribute("aria-hidden", "true");
  if (dash) part("line", {x1: 0, x2: width, y1: 7, y2: 7, stroke: colour, "stroke-width": 2, "stroke-dasharray": dash.join(" ")});
  if (shape) part("path", {d: shape, transform: `translate(${width / 2} 7) scale(5.5)`, fill, stroke: colour, "stroke-width": .25});
  made.append(svg, text);
  return made;
}
const SQUARE = "M-1,-1L1,-1L1,1L-1,1Z";
const disturbedEntry = rows => rows.some(row => row.disturbed) ? [entry("hollow: disturbed", {shape: SQUARE, fill: "none", width: 14})] : [];
const trainerEntries = rows => all.trainers.flatMap((trainer, i) => rows.some(row => row.trainer === trainer)
  ? [entry(trainer, {colour: all.colours[i], shape: all.shapes[i], width: 14})] : []).concat(disturbedEntry(rows));
// domain: all machines in the order of their dashes
const machineEntries = (machines, domain = machines) => domain.length < 2 ? [] : machines.map(name => entry(name, {dash: DASHES[domain.indexOf(name) % DASHES.length], width: 34}));

// Numbers as text.

const digits = x => x == null ? "-" : x >= 99.95 ? x.toFixed(0) : x >= 1e-3 || x === 0 ? x.toPrecision(3) : x.toFixed(6);
const unit = s => s < 1e-3 ? [1e6, "us"] : s < 1 ? [1e3, "ms"] : [1, "s"];
const duration = s => { const [factor, name] = unit(s); return `${digits(s * factor)} ${name}`; };
const ends = ([, low, high], factor = 1) => `${digits(low * factor)} to ${digits(high * factor)}`;
const between = interval => { const [factor, name] = unit(interval[0]); return `${ends(interval, factor)} ${name}`; };
const times = ratio => ratio ? `${digits(ratio[0])}x (${ends(ratio)})` : "-";
const bytes = x => x == null ? "-" : x < 1e6 ? `${digits(x / 1e3)} kB` : x < 1e9 ? `${digits(x / 1e6)} MB` : `${digits(x / 1e9)} GB`;
const percent = x => x == null ? "-" : `${x === 0 || Math.abs(x) >= .01 ? (100 * x).toFixed(1) : (100 * x).toPrecision(2)} %`;

const cut = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

// Break a text into lines of at most so many letters: after a space, hyphen, comma or underscore if there is one.
function wrap(text, width, most = Infinity) {
  const lines = [""];
  for (const part of text.match(/[^\s\-_,]*[\s\-_,]*/g).flatMap(word => word.match(new RegExp(`.{1,${width}}`, "gsu")) ?? [])) {
    if (lines.at(-1).length + part.trimEnd().length > width) lines.push("");
    lines.push(lines.pop() + part);
  }
  const whole = lines.map(line => line.trim()).filter(Boolean);
  return whole.length > most ? [...whole.slice(0, most - 1), cut(whole.slice(most - 1).join(" "), width)] : whole;
}

// Texts that overlap in a chart, texts with too little contrast, and the pixels by which the page is too wide.
// Vega makes labels transparent that would overlap.
const shown = element => element.checkVisibility({opacityProperty: true, visibilityProperty: true}) && element.textContent.trim();
const rgb = text => { const found = text.match(/[\d.]+/g).map(Number); return found.length > 3 && found[3] === 0 ? null : found.slice(0, 3); };
const luminance = colour => colour.map(part => part / 255).map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4)
  .reduce((sum, part, i) => sum + part * [.2126, .7152, .0722][i], 0);
const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort(); return (y + .05) / (x + .05); };
const paper = element => element ? rgb(getComputedStyle(element).backgroundColor) ?? paper(element.parentElement) : [255, 255, 255];
const overlaps = [], faint = [];
for (const svg of document.querySelectorAll("main svg")) {
  const texts = [...svg.querySelectorAll("text")].filter(shown).map(text => [text, text.getBoundingClientRect()]);
  texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
    if (Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 2)
      overlaps.push([svg.closest("section").querySelector("h2").textContent, a.textContent, b.textContent]);
  }));
  const cells = [...svg.querySelectorAll(".mark-rect.role-mark path")].map(cell => [cell, cell.getBoundingClientRect()]);
  for (const [text, box] of texts) {
    const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
    const cell = cells.find(([, c]) => c.left < x && x < c.right && c.top < y && y < c.bottom)?.[0];
    const below = (cell && getComputedStyle(cell).fill !== "none" && rgb(getComputedStyle(cell).fill)) || paper(svg);
    if (contrast(rgb(getComputedStyle(text).fill), below) < 4.5) faint.push(text.textContent);
  }
}
for (const element of document.querySelectorAll("h1, h2, h3, p, dfn, li, dt, dd, td, th button, label, select, summary, figcaption"))
  if (shown(element) && contrast(rgb(getComputedStyle(element).color), paper(element)) < 4.5) faint.push(element.textContent);
return {overlaps, faint, too_wide: Math.max(0, document.scrollingElement.scrollWidth - innerWidth)};

// The meaning of a term, on hover, focus or touch. The list of terms at the end of the page has the texts.

const meanings = new Map();
for (const term of document.querySelectorAll("#terms dt")) {
  for (const name of [term.textContent, ...(term.dataset.also ?? "").split("|")]) meanings.set(name, term.nextElementSibling.textContent);
}

function hideMeaning() {
  if (at("meaning").matches(":popover-open")) at("meaning").hidePopover();
}

function showMeaning(element, text) {
  const box = at("meaning"), place = element.getBoundingClientRect();
  box.textContent = text;
  box.showPopover();
  box.style.left = `${Math.max(8, Math.min(place.left, innerWidth - box.offsetWidth - 8))}px`;
  box.style.top = `${place.bottom + box.offsetHeight + 8 < innerHeight ? place.bottom + 6 : place.top - box.offsetHeight - 6}px`;
}

// Give the element the meaning of its term, if there is one.
function explain(element, term) {
  const text = meanings.get(term);
  if (!text) return;
  element.classList.add("term");
  element.setAttribute("aria-description", text);
  const show = element.explain = () => { hideMeaning(); showMeaning(element, text); };
  element.addEventListener("pointerenter", show);
  element.addEventListener("pointerleave", event => { if (event.pointerType !== "touch") hideMeaning(); });
  element.addEventListener("focus", () => { if (element.matches(":focus-visible")) show(); });
  element.addEventListener("blur", hideMeaning);
}

document.addEventListener("keydown", event => { if (event.key === "Escape") hideMeaning(); });
document.addEventListener("pointerdown", event => { if (!event.target.closest?.(".term")) hideMeaning(); });
document.addEventListener("scroll", hideMeaning, {capture: true, passive: true});
for (const term of document.querySelectorAll("dfn")) {
  term.tabIndex = 0;
  explain(term, term.textContent.toLowerCase());
}

// Tables that sort by any column: a column is [heading, row => sort key, row => text].

function table(place, columns, rows, caption) {
  const old = place.querySelector("table"), sorted = old ? {column: +old.dataset.column, down: old.dataset.down === "true"} : {column: -1};
  const build = () => {
    hideMeaning();
    const shown = [...rows];
    if (sorted.column >= 0 && sorted.column < columns.length) {
      const value = columns[sorted.column][1];
      shown.sort((a, b) => { const [x, y] = [value(a), value(b)]; return (x == null) - (y == null) || (x > y) - (x < y); });
      if (sorted.down) shown.reverse();
    }
    const made = document.createElement("table"), head = made.createTHead().insertRow();
    made.setAttribute("aria-label", caption);
    Object.assign(made.dataset, {column: sorted.column, down: sorted.down});
    const number = columns.map(column => rows.some(row => typeof column[1](row) === "number"));
    columns.forEach(([heading], i) => {
      const cell = document.createElement("th"), button = document.createElement("button");
      cell.scope = "col"; button.type = "button"; button.textContent = heading; cell.classList.toggle("number", number[i]);
      if (i === sorted.column) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      explain(button, heading);
      button.onclick = event => {
        sorted.down = i === sorted.column && !sorted.down; sorted.column = i; build();
        const again = place.querySelectorAll("th button")[i];
        again.focus();
        if (event.pointerType === "touch") again.explain?.();  // a finger cannot hover
      };
      cell.append(button); head.append(cell);
    });
    const body = made.createTBody();
    for (const row of shown) {
      const line = body.insertRow();
      columns.forEach(([, value, text], i) => {
        const cell = line.insertCell(), content = (text ?? value)(row) ?? "-";
        cell.classList.toggle("number", number[i]);
        if (i > 0) { cell.append(content); return; }
        cell.append(Object.assign(document.createElement("span"), {className: "name", textContent: content}));  // may wrap
      });
    }
    place.replaceChildren(made);
  };
  if (!rows.length) { place.replaceChildren(); return; }
  place.tabIndex = 0; place.setAttribute("role", "region"); place.setAttribute("aria-label", caption);
  build();
}

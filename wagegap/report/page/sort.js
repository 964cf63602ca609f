"use strict";
// Lets a reader sort a table by a column: numbers as numbers, text as text, unknown ones last.
(function () {
  function key(row, column) {
    var cell = row.cells[column];
    var text = cell ? cell.textContent.trim() : "";
    var number = parseFloat(text.replace(/\u2212/g, "-").replace(/,/g, "").replace(/^</, "").replace(/^\./, "0."));
    return isNaN(number) ? text.toLowerCase() : number;
  }
  function sort(head, column) {
    var body = head.closest("table").tBodies[0];
    var down = head.getAttribute("aria-sort") === "ascending";
    head.parentNode.querySelectorAll("th").forEach(function (one) { one.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    Array.from(body.rows)
      .sort(function (a, b) {
        var x = key(a, column), y = key(b, column);
        if (typeof x !== typeof y) { return typeof x === "number" ? -1 : 1; }
        return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
      })
      .forEach(function (row) { body.appendChild(row); });
  }
  document.querySelectorAll("table.sortable thead th").forEach(function (head, column) {
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent.trim() || "name";
    head.textContent = "";
    head.appendChild(button);
    button.addEventListener("click", function () { sort(head, head.cellIndex); });
  });
})();

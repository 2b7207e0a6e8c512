// SPDX-License-Identifier: Apache-2.0
// Sorts the tables of ops, opens their rows, and shows which points and boxes belong to which row.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  document.documentElement.classList.add("js");

  const value = (body, column) => {
    const key = body.rows[0].cells[column].dataset.key;
    return key !== "" && isFinite(key) ? Number(key) : key;
  };

  const sort = (table, column) => {
    const heading = table.tHead.rows[0].cells[column];
    const numbers = heading.matches(".n, .share");
    const was = heading.getAttribute("aria-sort");
    const descending = was ? was === "ascending" : numbers;
    all("th", table).forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const order = (a, b) => {
      const x = value(a, column), y = value(b, column);
      const more = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return (descending ? -more : more) || a.dataset.order - b.dataset.order;
    };
    [...table.tBodies].sort(order).forEach((body) => table.append(body));
  };

  for (const table of all("table.ops")) {
    all("th", table).forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      button.addEventListener("click", () => sort(table, column));
      heading.replaceChildren(button);
    });
  }

  const open = (id, scroll) => {
    const body = document.getElementById(id);
    if (!body || !body.matches(".ops tbody")) return false;
    if (scroll) body.classList.add("open");
    else body.classList.toggle("open");
    body.querySelector("a").setAttribute("aria-expanded", body.classList.contains("open"));
    if (scroll) body.scrollIntoView({ block: "nearest", behavior: "smooth" });
    return true;
  };

  const parts = new Map();  // by the id of an op's row: the links that stand for it
  for (const link of all("a[href^='#']")) {
    const id = link.getAttribute("href").slice(1);
    if (!document.getElementById(id)) continue;
    const isRow = link.closest("tbody") !== null;
    if (!isRow) parts.set(id, [...(parts.get(id) || []), link]);
    if (isRow) link.setAttribute("aria-expanded", "false");
    link.addEventListener("click", (event) => {
      if (open(id, !isRow)) {
        event.preventDefault();
        history.replaceState(null, "", "#" + id);
      }
    });
  }

  const light = (id, on) => {
    for (const part of [document.getElementById(id), ...(parts.get(id) || [])]) part.classList.toggle("on", on);
  };

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "status");
  document.body.append(tip);
  const tell = (element) => {
    tip.textContent = element.dataset.title;
    tip.hidden = false;
    const box = element.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.max(8, Math.min(box.left, document.documentElement.clientWidth - own.width - 8));
    const above = box.top - own.height - 8;
    tip.style.left = left + scrollX + "px";
    tip.style.top = (above >= 0 ? above : box.bottom + 8) + scrollY + "px";
  };

  for (const [id, links] of parts) {
    for (const link of links) {
      const title = link.querySelector("title");
      link.dataset.title = title ? title.textContent : link.title;
      if (title) {
        link.setAttribute("aria-label", title.textContent);
        title.remove();
      } else {
        link.setAttribute("aria-label", link.title);
        link.removeAttribute("title");
      }
      for (const event of ["pointerenter", "focus"]) {
        link.addEventListener(event, () => { light(id, true); tell(link); });
      }
      for (const event of ["pointerleave", "blur"]) {
        link.addEventListener(event, () => { light(id, false); tip.hidden = true; });
      }
    }
    const row = document.getElementById(id);
    for (const event of ["pointerenter", "focusin"]) row.addEventListener(event, () => light(id, true));
    for (const event of ["pointerleave", "focusout"]) row.addEventListener(event, () => light(id, false));
  }

  if (location.hash) open(location.hash.slice(1), true);
})();

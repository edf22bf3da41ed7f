// The tabs over the query: each is a sheet with a query and variables of its own. Keys as in any tab list.
import { text } from "../texts.js";
import { get, make } from "./dom.js";
import { readSheets, writeSheets } from "./kept.js";

const MOST = 12;

// `first` is what a new visitor finds; `open` is called with the sheet to be shown.
export function sheets(first, open) {
  const kept = readSheets();
  const all = kept.sheets.length ? kept.sheets : [{ ...first }];
  let current = kept.sheets.length ? kept.current : 0;

  const named = (sheet) => /\b(?:query|mutation)\s+(\w+)/.exec(sheet.query)?.[1] ;

  function draw(focus = false) {
    const tabs = all.map((sheet, place) =>
      make(
        "button",
        {
          type: "button", role: "tab", id: `sheet-${place}`, "aria-selected": String(place === current),
          "aria-controls": "sheet", tabindex: place === current ? 0 : -1, onclick: () => choose(place, true),
        },
        named(sheet) ? make("code", {}, named(sheet)) : text("play.sheet", { number: place + 1 }),
      ),
    );
    get("sheets").replaceChildren(...tabs);
    get("sheet").setAttribute("aria-labelledby", `sheet-${current}`);
    get("close").disabled = all.length < 2;
    get("new").disabled = all.length >= MOST;
    if (focus) tabs[current].focus();
  }

  function choose(place, focus = false) {
    current = (place + all.length) % all.length;
    writeSheets(all, current);
    open(all[current]);
    draw(focus);
  }

  function add(sheet = { query: "", variables: "" }) {
    if (all.length >= MOST) all.pop();
    all.push({ ...sheet });
    choose(all.length - 1);
  }

  function close() {
    if (all.length < 2) return;
    all.splice(current, 1);
    choose(Math.min(current, all.length - 1), true);
  }

  get("sheets").addEventListener("keydown", (event) => {
    const to = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Delete") close();
    else if (to === undefined) return;
    else choose(to, true);
    event.preventDefault();
  });
  get("new").addEventListener("click", () => {
    add();
    get("query").dispatchEvent(new Event("wanted"));
  });
  get("close").addEventListener("click", close);
  draw();

  return {
    add,
    current: () => all[current],
    // What was typed.
    keep(query, variables) {
      const sheet = all[current];
      const renamed = named(sheet) !== named({ query });
      Object.assign(sheet, { query, variables });
      writeSheets(all, current);
      if (renamed) draw();
    },
  };
}

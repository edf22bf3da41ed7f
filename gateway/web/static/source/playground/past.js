// What was run in this tab, the newest first; each can be opened again, and all of it be forgotten.
import { text } from "../texts.js";
import { get, lead, make } from "./dom.js";
import { addPast, forgetPast, readPast } from "./kept.js";
import { time } from "./words.js";

// `open` is called with a run that is to be opened again.
export function past(open) {
  function draw() {
    const runs = readPast();
    get("past").replaceChildren(
      ...(runs.length
        ? runs.map((run) => make("li", {}, lead(run.name ? make("code", {}, String(run.name)) : text("play.unnamed"), () => open(run)), make("span", { class: "small soft" }, ` ${time(run.at)}, ${String(run.outcome ?? "")}`)))
        : [make("li", { class: "soft" }, text("play.no_past"))]),
    );
    get("forget").disabled = !runs.length;
  }

  get("forget").addEventListener("click", () => {
    forgetPast();
    draw();
  });
  draw();
  return {
    add(run) {
      addPast(run);
      draw();
    },
  };
}

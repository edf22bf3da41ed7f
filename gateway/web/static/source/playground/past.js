// What was run in this tab, the newest first; each can be opened again, and all of it be forgotten.
import { get, lead, make } from "./dom.js";
import { addPast, forgetPast, readPast } from "./kept.js";
import { time } from "./words.js";

// `open` is called with a run that is to be opened again.
export function past(open) {
  function draw() {
    const runs = readPast();
    get("past").replaceChildren(
      ...(runs.length
        ? runs.map((run) => make("li", {}, lead(String(run.name ?? "Without a name"), () => open(run)), make("span", { class: "small soft" }, ` ${time(run.at)}, ${String(run.outcome ?? "")}`)))
        : [make("li", { class: "soft" }, "Nothing was run here yet.")]),
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

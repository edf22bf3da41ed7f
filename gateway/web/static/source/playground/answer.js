// The answer: what was told, what was not and why, the receipt for people, and all of it as it was sent.
import { get, lead, make } from "./dom.js";
import { number, text } from "../texts.js";
import { denials, receiptParts } from "./receipt.js";

const PARTS = ["answer", "receipt", "sent"];

export function answers(title) {
  let last = null;

  function choose(name, focus = false) {
    for (const each of PARTS) {
      const tab = get(`tab-${each}`);
      tab.setAttribute("aria-selected", String(each === name));
      tab.tabIndex = each === name ? 0 : -1;
      get(each).hidden = each !== name;
      if (focus && each === name) tab.focus();
    }
  }

  for (const each of PARTS) get(`tab-${each}`).addEventListener("click", () => choose(each));
  get("parts").addEventListener("keydown", (event) => {
    const now = PARTS.findIndex((each) => get(`tab-${each}`).tabIndex === 0);
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: PARTS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(PARTS[(to + PARTS.length) % PARTS.length], true);
  });

  function show(result) {
    last = result;
    const { data, errors = [], extensions = {} } = result.content;
    const said = extensions.inquiry ?? extensions.act;
    get("answer").replaceChildren(
      ...(errors.length ? [note(data, errors)] : []),
      data === undefined ? "" : make("pre", { tabindex: "0", role: "region", "aria-label": text("play.data") }, ...coloured(JSON.stringify(data, null, 2))),
    );
    get("receipt").replaceChildren(
      ...(said ? [make("h3", {}, text("play.receipt", { number: said.id.slice(0, 8).replace(/(.{4})(?=.)/, "$1 ") })), ...receiptParts(said, title), saves(said)] : [make("p", { class: "none" }, text("play.no_receipt"))]),
    );
    get("sent").replaceChildren(
      make("pre", { tabindex: "0", role: "region", "aria-label": text("play.as_sent") }, ...coloured(JSON.stringify(result.content, null, 2))),
      make("p", { class: "small" }, lead(text("play.save_answer"), saveAnswer)),
    );
    choose("answer");
  }

  const name = () => (last.content.extensions?.inquiry ?? last.content.extensions?.act)?.id?.replace(/[^\w-]/g, "") ?? "without-receipt";
  const saveAnswer = () => save(`answer-${name()}.json`, last.text, "application/json");
  const saveReceipt = () => save(`receipt-${name()}.txt`, (last.content.extensions.inquiry ?? last.content.extensions.act).receipt, "text/plain");
  const saves = () => make("p", { class: "small saves" }, lead(text("play.save_receipt"), saveReceipt), lead(text("play.save_answer"), saveAnswer));

  return { show };
}

function note(data, errors) {
  const denied = errors.filter((each) => each.extensions?.code === "UNAUTHORIZED_FIELD_OR_TYPE").length;
  const title = data === undefined || data === null
    ? text("play.refused")
    : denied === errors.length ? number("play.denied", denied) : number("play.unanswered", errors.length);
  return make("div", { class: data ? "note warn" : "note bad" }, make("h3", {}, title), make("ul", { class: "small" }, ...denials(errors)));
}

// JSON with its parts marked by class.
function coloured(json) {
  const parts = [];
  let at = 0;
  for (const found of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/g)) {
    if (found.index > at) parts.push(json.slice(at, found.index));
    const kind = found[2] ? "name" : found[1] ? "text" : "value";
    parts.push(make("span", { class: `json-${kind}` }, found[1] ?? found[0]), found[2] ?? "");
    at = found.index + found[0].length;
  }
  parts.push(json.slice(at));
  return parts;
}

function save(name, content, type) {
  const link = make("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

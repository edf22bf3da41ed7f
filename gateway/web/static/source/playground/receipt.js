// A receipt as people read it. What it says is inside it: the told side of its entry (`extra` of a C2SP tlog-proof). This
// page reads it, and does not verify it: that takes the ledger's key (`dutybound ledger verify-receipt`).
import { make } from "./dom.js";
import { articles, count, day, list, moment } from "./words.js";

const OBLIGATIONS = {
  "purpose-only": () => ["Use it for", "This purpose only"],
  "no-onward-disclosure": () => ["Passing on", "Not allowed"],
  "delete-by": ({ date }) => ["Delete by", day(date)],
};

// The elements that tell of `extensions.inquiry` or `extensions.act`; `title` gives a purpose's title by its name.
export function receiptParts(said, title) {
  const inside = opened(said.receipt);
  const general = inside[0] ?? {};
  const subjects = inside.slice(1);
  const rows = [["Entered", said.at ?? general.at ? `${moment(said.at ?? general.at)}, before the answer left` : "Before the answer left"]];
  if (general.requester) rows.push(["Asked by", [general.requester.department, `through ${general.requester.client}`].filter(Boolean).join(", ")]);
  const purpose = general.declaration?.purpose;
  if (purpose) rows.push(["For", title(purpose) ?? purpose]);
  const cases = [...new Set(subjects.map((each) => each.case).filter(Boolean))];
  if (cases.length) rows.push(["Case", list(cases)]);
  for (const { type, properties } of said.obligations ?? []) rows.push((OBLIGATIONS[type] ?? (() => [type, JSON.stringify(properties)]))(properties ?? {}));
  return [
    make("dl", { class: "kv" }, ...rows.map(([key, value]) => make("div", {}, make("dt", {}, key), make("dd", {}, value)))),
    ...cautions(said.cautions ?? []),
    ...disclosed(subjects),
    make("p", { class: "small soft" }, `Number ${said.id}. To prove it: dutybound ledger verify-receipt FILE.`),
  ];
}

function cautions(several) {
  if (!several.length) return [];
  const lines = several.map(({ dataset, record, disputed, mitigation }) =>
    make("li", {}, `${dataset}, record ${record}: ${[disputed ? "its subject disputes it" : "", mitigation ?? ""].filter(Boolean).join("; ")}`),
  );
  return [make("div", { class: "note warn" }, make("h4", {}, "Read with care"), make("ul", { class: "small" }, ...lines))];
}

function disclosed(subjects) {
  return subjects.filter((each) => each.datasets).map(({ scheme, value, datasets }) => {
    const lines = datasets.map(({ dataset, fields = [], records = [] }) =>
      make("li", {}, `${dataset}: ${count(records.length, "record")}; ${list(fields)}`),
    );
    const whole = make("details", {}, make("summary", {}, `What was disclosed about ${scheme} ${value}`), make("ul", { class: "small" }, ...lines));
    return whole;
  });
}

// The parts that a receipt opens, as JSON; none where it is not of a form that this page knows.
export function opened(receipt) {
  try {
    const line = /^extra (\S+)$/m.exec(receipt ?? "")[1];
    const bytes = Uint8Array.from(atob(line), (each) => each.charCodeAt(0));
    if (bytes[0] === 1) return [read(bytes.subarray(65))];
    if (bytes[0] !== 2) return [];
    const view = new DataView(bytes.buffer);
    const parts = [];
    for (let at = 33; at < bytes.length; ) {
      const kind = bytes[at];
      at += 33;
      if (kind !== 1) continue;
      const length = view.getUint32(at);
      parts.push(read(bytes.subarray(at + 4, at + 4 + length)));
      at += 4 + length;
    }
    return parts;
  } catch {
    return [];
  }
}

const read = (bytes) => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));

// What was not given, grouped by why, in the gateway's own words.
export function denials(errors) {
  const groups = new Map();
  for (const error of errors) {
    const { code, articles: of = [], rule } = error.extensions ?? {};
    const text = error.extensions?.advice || error.message;
    const key = `${code} ${rule} ${text}`;
    if (!groups.has(key)) groups.set(key, { text, code, rule, of, paths: [] });
    groups.get(key).paths.push((error.path ?? []).filter((each) => typeof each === "string").slice(1).join("."));
  }
  return [...groups.values()].map(({ text, code, rule, of, paths }) => {
    const where = list([...new Set(paths.filter(Boolean))]);
    const law = [rule ? `rule ${rule}` : "", articles(of)].filter(Boolean).join(", ");
    return make("li", {}, where ? make("b", {}, where) : null, where ? ": " : "", text, law ? ` (${law})` : "", " ", make("code", {}, code ?? ""));
  });
}

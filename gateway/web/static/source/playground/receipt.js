// A receipt as people read it. What it says is inside it: the told side of its entry (`extra` of a C2SP tlog-proof). This
// page reads it, and does not verify it: that takes the ledger's key (`dutybound ledger verify-receipt`).
import { english, number, parts, text } from "../texts.js";
import { make } from "./dom.js";
import { articles, coded, day, list, moment } from "./words.js";

const OBLIGATIONS = {
  "purpose-only": () => [text("play.use"), text("play.use_only")],
  "no-onward-disclosure": () => [text("play.passing"), text("play.passing_not")],
  "delete-by": ({ date }) => [text("play.delete"), day(date)],
};

// The elements that tell of `extensions.inquiry` or `extensions.act`; `title` gives a purpose's title by its name.
export function receiptParts(said, title) {
  const inside = opened(said.receipt);
  const general = inside[0] ?? {};
  const subjects = inside.slice(1);
  const rows = [[text("play.entered"), said.at ?? general.at ? text("play.entered_at", { at: moment(said.at ?? general.at) }) : text("play.entered_before")]];
  if (general.requester) rows.push([text("play.asked_by"), askedBy(general.requester)]);
  const purpose = general.declaration?.purpose;
  if (purpose) rows.push([text("play.asked_for"), title(purpose) ?? make("code", {}, purpose)]);
  const cases = [...new Set(subjects.map((each) => each.case).filter(Boolean))];
  if (cases.length) rows.push([text("play.case"), list(cases)]);
  for (const { type, properties } of said.obligations ?? []) rows.push((OBLIGATIONS[type] ?? (() => [make("code", {}, type), make("code", {}, JSON.stringify(properties))]))(properties ?? {}));
  return [
    make("dl", { class: "kv" }, ...rows.map(([key, value]) => make("div", {}, make("dt", {}, key), make("dd", {}, ...[value].flat())))),
    ...cautions(said.cautions ?? []),
    ...disclosed(subjects),
    make("p", { class: "small soft" }, ...parts("play.number", { number: said.id, command: make("code", {}, "dutybound ledger verify-receipt FILE") })),
  ];
}

const askedBy = ({ department, client }) =>
  parts(department ? "play.requester" : "play.client", { department: make("code", {}, department ?? ""), client: make("code", {}, client) });

function cautions(several) {
  if (!several.length) return [];
  const lines = several.map(({ dataset, record, disputed, mitigation }) =>
    make("li", {}, ...parts("play.caution", { dataset: make("code", {}, dataset), record, what: [disputed ? text("play.disputed") : "", mitigation ?? ""].filter(Boolean).join("; ") })),
  );
  return [make("div", { class: "note warn" }, make("h4", {}, text("play.care")), make("ul", { class: "small" }, ...lines))];
}

function disclosed(subjects) {
  return subjects.filter((each) => each.datasets).map(({ scheme, value, datasets }) => {
    const lines = datasets.map(({ dataset, fields = [], records = [] }) =>
      make("li", {}, ...parts("play.disclosed_of", { dataset: make("code", {}, dataset), records: number("play.records", records.length), fields: coded(fields) })),
    );
    const whole = make("details", {}, make("summary", {}, text("play.disclosed", { scheme, value })), make("ul", { class: "small" }, ...lines));
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
    const why = error.extensions?.advice || error.message;
    const key = `${code} ${rule} ${why}`;
    if (!groups.has(key)) groups.set(key, { why, code, rule, of, paths: [] });
    groups.get(key).paths.push((error.path ?? []).filter((each) => typeof each === "string").slice(1).join("."));
  }
  return [...groups.values()].map(({ why, code, rule, of, paths }) => {
    const where = [...new Set(paths.filter(Boolean))];
    const law = rule ? [...parts("play.rule", { rule: make("code", {}, rule) }), of.length ? ", " : "", articles(of)] : [articles(of)];
    return make("li", {}, where.length ? make("b", {}, ...coded(where)) : null, where.length ? ": " : "", english(why), ...(rule || of.length ? [" (", ...law, ")"] : []), " ", make("code", {}, code ?? ""));
  });
}

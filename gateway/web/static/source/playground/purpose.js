// The purpose that is declared, explained; and what this requester may ask for it, field by field, when it wants to know.
import { english, parts, text } from "../texts.js";
import { get, lead, make } from "./dom.js";
import { told } from "./explorer.js";
import { articles, coded, list } from "./words.js";

const PERMISSIONS = `query Permissions($purpose: Purpose!) {
  permissions(purpose: $purpose) { subject dataset field permitted reason articles advice needs }
}`;

// `ask` sends an operation and gives its outcome.
export function purposes(ask) {
  const place = get("purpose");
  let shown;

  // Tells of the purpose of that name, as the schema describes it.
  function tell(name, schema) {
    const key = `${name} ${Boolean(schema)}`;
    if (key === shown) return;
    shown = key;
    const value = schema?.getType("Purpose")?.getValue?.(name ?? "");
    if (!name) return place.replaceChildren(make("p", { class: "small soft" }, ...parts("play.no_purpose", { directive: make("code", {}, "@inquiry(purpose: …)") })));
    if (!schema) return place.replaceChildren(make("p", { class: "small" }, make("code", {}, name)), make("p", { class: "small soft" }, text("play.purpose_unread")));
    if (!value) return place.replaceChildren(make("p", { class: "small" }, ...parts("play.purpose_unknown", { purpose: make("code", {}, name) })));
    const [title, ...rest] = told(value.description, "small");
    title?.classList.add("title");
    const answer = make("div", { "aria-live": "polite" });
    const more = lead(text("play.what_may_we"), () => look(name, more, answer, (dataset, subject) => titled(schema, dataset, subject)));
    place.replaceChildren(title ?? "", make("p", { class: "small" }, make("code", {}, name)), ...rest, make("p", { class: "small" }, more), answer);
  }

  async function look(name, button, answer, titles) {
    button.disabled = true;
    try {
      const { content } = await ask({ query: PERMISSIONS, variables: { purpose: name } });
      const rows = content.data?.permissions;
      answer.replaceChildren(...(rows ? table(rows, titles) : [make("p", { class: "small" }, content.errors?.[0] ? english(content.errors[0].message) : text("play.no_answer"))]));
    } catch (error) {
      answer.replaceChildren(make("p", { class: "small" }, ...parts("play.unreached", { why: english(error.message) })));
    } finally {
      button.disabled = false;
    }
  }

  return { tell };
}

// A dataset's title, as the schema says it of the field that it is; its id where no field is one.
function titled(schema, dataset, subject) {
  const field = dataset.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
  const type = schema.getType(subject.charAt(0).toUpperCase() + subject.slice(1));
  return type?.getFields?.()[field]?.description?.split("\n")[0].replace(/\.$/, "") ?? make("code", {}, dataset);
}

function table(rows, titles) {
  const groups = new Map();
  for (const row of rows) {
    const key = `${row.subject}/${row.dataset}`;
    if (!groups.has(key)) groups.set(key, { title: titles(row.dataset, row.subject), subject: row.subject, yes: [], no: [] });
    groups.get(key)[row.permitted ? "yes" : "no"].push(row);
  }
  const open = [...groups.values()].filter((each) => each.yes.length);
  const closed = rows.find((row) => !row.permitted);
  if (!open.length) return [make("p", { class: "small" }, ...parts("play.may_nothing", { advice: english(closed?.advice ?? "") }))];
  const lines = open.map(({ title, subject, yes, no }) => {
    const needs = [...new Set(yes.flatMap((row) => row.needs ?? []))];
    const law = articles(no[0]?.articles ?? []);
    return make(
      "li",
      {},
      make("b", {}, title),
      " ",
      ...parts("play.may", { subject: text(`play.about_${subject}`), fields: coded(yes.map((row) => row.field)) }),
      ...(needs.length ? [" ", ...parts("play.may_needs", { needs: english(list(needs)) })] : []),
      no.length ? make("span", { class: "soft" }, " ", ...parts(law ? "play.may_not_by" : "play.may_not", { fields: coded(no.map((row) => row.field)), articles: law })) : null,
    );
  });
  return [make("ul", { class: "small members" }, ...lines)];
}

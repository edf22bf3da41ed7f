// The purpose that is declared, explained; and what this requester may ask for it, field by field, when it wants to know.
import { get, lead, make } from "./dom.js";
import { told } from "./explorer.js";
import { articles, list } from "./words.js";

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
    if (!name) return place.replaceChildren(make("p", { class: "small soft" }, "The operation declares none. One that asks about a subject needs one: @inquiry(purpose: …)."));
    if (!schema) return place.replaceChildren(make("p", { class: "small" }, make("code", {}, name)), make("p", { class: "small soft" }, "What it means stands here once the schema was read."));
    if (!value) return place.replaceChildren(make("p", { class: "small" }, make("code", {}, name), " is no purpose that is registered here."));
    const [title, ...rest] = told(value.description, "small");
    title?.classList.add("title");
    const answer = make("div", { "aria-live": "polite" });
    const more = lead("What may we ask for it?", () => look(name, more, answer, (dataset, subject) => titled(schema, dataset, subject)));
    place.replaceChildren(title ?? "", make("p", { class: "small" }, make("code", {}, name)), ...rest, make("p", { class: "small" }, more), answer);
  }

  async function look(name, button, answer, titles) {
    button.disabled = true;
    try {
      const { content } = await ask({ query: PERMISSIONS, variables: { purpose: name } });
      const rows = content.data?.permissions;
      answer.replaceChildren(...(rows ? table(rows, titles) : [make("p", { class: "small" }, content.errors?.[0]?.message ?? "There is no answer.")]));
    } catch (error) {
      answer.replaceChildren(make("p", { class: "small" }, `The gateway cannot be reached: ${error.message}`));
    } finally {
      button.disabled = false;
    }
  }

  return { tell };
}

// A dataset's title, as the schema says it of the field that it is.
function titled(schema, dataset, subject) {
  const field = dataset.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
  const type = schema.getType(subject.charAt(0).toUpperCase() + subject.slice(1));
  return type?.getFields?.()[field]?.description?.split("\n")[0].replace(/\.$/, "") ?? dataset;
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
  if (!open.length) return [make("p", { class: "small" }, `Nothing. ${closed?.advice ?? ""}`)];
  const lines = open.map(({ title, subject, yes, no }) => {
    const needs = [...new Set(yes.flatMap((row) => row.needs ?? []))];
    return make(
      "li",
      {},
      make("b", {}, title),
      ` (${subject}): ${list(yes.map((row) => row.field))}.`,
      needs.length ? ` It takes: ${list(needs)}.` : null,
      no.length ? make("span", { class: "soft" }, ` Not ${list(no.map((row) => row.field))}${no[0].articles?.length ? ` (${articles(no[0].articles)})` : ""}.`) : null,
    );
  });
  return [make("ul", { class: "small members" }, ...lines)];
}

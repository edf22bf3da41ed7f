// The playground, wired: what is typed, what is asked, and what is told of it. Nothing here decides anything.
import { buildClientSchema, getIntrospectionQuery } from "graphql";
import { english, number, parts, text } from "../texts.js";
import { answers } from "./answer.js";
import { ask } from "./asking.js";
import { get, later, make } from "./dom.js";
import { explorer } from "./explorer.js";
import { past } from "./past.js";
import { purposes } from "./purpose.js";
import { operations, purposeOf, queryEditor, read, tidied } from "./query.js";
import { sheets } from "./sheets.js";
import { filled, said, variablesEditor, wantedBy } from "./variables.js";

const INTROSPECTION = getIntrospectionQuery({ inputValueDeprecation: true });
const LIKE_A_TOKEN = /^\S{20,}$/;

const first = { query: get("query").value, variables: get("variables").value };
let schema;
let asked = { operation: null, wanted: [] };
let readWith = "";

const say = (words, bad = false) => {
  get("status").replaceChildren(...[words].flat());
  get("status").className = bad ? "bad" : "";
};
const token = () => get("token").value.trim();
const send = (body) => ask(token(), body);
const bindings = [{ key: "Mod-Enter", preventDefault: true, run: () => (run(), true) }];

const tree = explorer();
const purpose = purposes(send);
const answer = answers((name) => schema?.getType("Purpose")?.getValue?.(name)?.description?.split("\n")[0].replace(/\.$/, ""));
const tabs = sheets(first, open);
const runs = past((one) => tabs.add(one));

get("query").value = tabs.current().query;
get("variables").value = tabs.current().variables;
const query = queryEditor(get("query"), { bindings, problems: get("query-problems"), onShow: (what) => tree.show(what) });
const variables = variablesEditor(get("variables"), {
  bindings, problems: get("variables-problems"), wanted: () => ({ wanted: asked.wanted, schema }),
});

function open(sheet) {
  query.open(sheet.query);
  variables.open(sheet.variables);
  follow();
}

function values() {
  try {
    return JSON.parse(variables.text());
  } catch {
    return null;
  }
}

// Looks at what is typed: which operation is meant, what it wants, which purpose it declares.
function follow() {
  const document = read(query.text());
  if (document) {
    const all = operations(document);
    const names = all.map((each) => each.name?.value ?? "");
    const before = get("operation").value;
    get("operation").replaceChildren(...names.map((name) => make("option", { value: name }, name || text("play.unnamed"))));
    if (names.includes(before)) get("operation").value = before;
    get("operations").hidden = all.length < 2;
    const operation = all.length < 2 ? all[0] : all[Math.max(0, get("operation").selectedIndex)];
    asked = { operation, wanted: wantedBy(operation, schema) };
  }
  const { operation, wanted } = asked;
  get("wanted").replaceChildren(...(wanted.length ? wanted.flatMap((each, place) => [place ? " " : "", ...said(each), "."]) : [text("play.no_variables")]));
  const given = values() ?? {};
  get("fill").hidden = !wanted.some((each) => !(each.name in given));
  variables.again();
  purpose.tell(purposeOf(operation, given), schema);
}

async function run() {
  let given = null;
  try {
    given = variables.text().trim() ? JSON.parse(variables.text()) : null;
  } catch (error) {
    say(parts("play.no_json", { why: english(error.message) }), true);
    variables.focus();
    return;
  }
  const several = !get("operations").hidden;
  const operationName = several ? get("operation").value || undefined : undefined;
  get("run").disabled = true;
  say(text("play.asking"));
  try {
    const result = await send({ query: query.text(), variables: given, operationName });
    const errors = result.content.errors?.length ?? 0;
    answer.show(result);
    const outcome = errors ? number("play.status_errors", errors, { status: result.status }) : String(result.status);
    say(text("play.done", { outcome, time: Math.round(result.took) }), errors > 0);
    const name = asked.operation?.name?.value;
    runs.add({ query: query.text(), variables: variables.text(), name, at: new Date().toISOString(), outcome });
  } catch (error) {
    say(parts("play.unreached", { why: english(error.message) }), true);
  } finally {
    get("run").disabled = false;
  }
}

// Reads the schema once for a token; what the editors, the tree and the purpose tell comes from it.
async function learn() {
  if (!LIKE_A_TOKEN.test(token()) || readWith === token()) return;
  readWith = token();
  get("schema-status").textContent = text("play.reading");
  try {
    const { content, status } = await send({ query: INTROSPECTION });
    if (!content.data) throw new Error(content.errors?.[0]?.message ?? `HTTP ${status}`);
    schema = buildClientSchema(content.data);
    query.use(schema);
    tree.use(schema);
    get("schema-status").textContent = "";
    follow();
  } catch (error) {
    readWith = "";
    get("schema-status").replaceChildren(...parts("play.no_schema", { why: english(error.message) }));
  }
}

const typed = later(follow, 250);
const kept = later(() => tabs.keep(query.text(), variables.text()), 250);
for (const name of ["query", "variables"]) {
  get(name).addEventListener("input", () => {
    typed();
    kept();
  });
}
addEventListener("pagehide", () => kept.now());
get("query").addEventListener("wanted", () => query.focus());
get("operation").addEventListener("change", follow);
get("form").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
get("tidy").addEventListener("click", () => {
  try {
    query.write(tidied(query.text()));
    const given = values();
    if (given) variables.write(`${JSON.stringify(given, null, 2)}\n`);
    say("");
  } catch (error) {
    say(parts("play.untidied", { why: english(error.message) }), true);
    query.focus();
  }
});
get("fill").addEventListener("click", () => {
  try {
    variables.write(filled(variables.text(), asked.wanted));
    variables.focus();
  } catch (error) {
    say(parts("play.no_json", { why: english(error.message) }), true);
  }
});
get("token").addEventListener("input", later(learn, 300));
get("token").addEventListener("change", learn);
say("");
follow();

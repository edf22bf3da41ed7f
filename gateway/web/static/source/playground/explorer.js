// What can be asked: every type of the schema with what it says of itself, each type that is named leading to that type.
import {
  getNamedType, isEnumType, isInputObjectType, isInterfaceType, isObjectType, isUnionType, isScalarType,
} from "graphql";
import { english, parts, text } from "../texts.js";
import { get, later, lead, make } from "./dom.js";

const MOST_FOUND = 60;

const KIND = (type) =>
  isObjectType(type) ? text("play.is_type") : isInterfaceType(type) ? text("play.is_interface") : isInputObjectType(type) ? text("play.is_input")
    : isEnumType(type) ? text("play.is_enum") : isUnionType(type) ? text("play.is_union") : isScalarType(type) ? text("play.is_scalar") : "";

export function explorer() {
  const place = get("schema");
  let schema = null;
  let way = [];

  function use(given) {
    schema = given;
    way = [];
    get("find").disabled = false;
    draw();
  }

  // Shows a type, and a field of it where one is named; the reader's focus goes there where `focus` says so.
  function show({ type, field }, focus = false) {
    const name = String(type ?? "").replace(/[[\]!]/g, "");
    const found = name.startsWith("@") ? schema?.getDirective(name.slice(1)) : schema?.getType(name);
    if (!found) return;
    if (way.at(-1) !== name) way.push(name);
    get("find").value = "";
    draw(field);
    if (focus) place.querySelector("[data-field-shown]")?.focus() ?? place.querySelector("h3")?.focus();
  }

  function draw(field = null) {
    const word = get("find").value.trim().toLowerCase();
    if (!schema) return;
    place.replaceChildren(...(word ? found(word) : way.length ? whole(way.at(-1), field) : overview()));
    place.querySelector("[data-field-shown]")?.scrollIntoView({ block: "nearest" });
  }

  const back = () => {
    way.pop();
    draw();
    (place.querySelector("h3") ?? get("find")).focus();
  };

  const named = (type) => lead(make("code", {}, String(type)), () => show({ type }, true));

  // A type as it is written, in which its name leads to it.
  function typed(type) {
    const name = getNamedType(type).name;
    const [before, after] = String(type).split(name);
    return make("code", {}, before, lead(name, () => show({ type: name }, true)), after);
  }

  function overview() {
    const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith("__"));
    const roots = [schema.getQueryType(), schema.getMutationType()].filter(Boolean);
    const others = types.filter((type) => !roots.includes(type)).sort((a, b) => a.name.localeCompare(b.name));
    const listed = (several) => make("ul", {}, ...several.map((each) => make("li", {}, named(each))));
    const directives = schema.getDirectives().filter((each) => each.name === "inquiry").map((each) => `@${each.name}`);
    return [
      make("h3", { tabindex: "-1" }, text("play.roots")),
      listed([...roots, ...directives]),
      make("h3", {}, text("play.types")),
      listed(others),
    ];
  }

  function found(word) {
    const hits = [];
    for (const type of Object.values(schema.getTypeMap())) {
      if (type.name.startsWith("__")) continue;
      if (type.name.toLowerCase().includes(word)) hits.push([type.name, null]);
      const members = type.getFields ? Object.values(type.getFields()) : type.getValues ? type.getValues() : [];
      for (const each of members) if (each.name.toLowerCase().includes(word)) hits.push([type.name, each.name]);
    }
    const shown = hits.slice(0, MOST_FOUND).map(([type, field]) =>
      make("li", {}, lead(make("code", {}, field ? `${type}.${field}` : type), () => show({ type, field }, true))),
    );
    const told = hits.length > MOST_FOUND ? text("play.found_more", { count: hits.length, shown: MOST_FOUND }) : hits.length ? text("play.found", { count: hits.length }) : text("play.found_none");
    return [make("p", { role: "status", class: "small soft" }, told), make("ul", {}, ...shown)];
  }

  function whole(name, field) {
    const directive = name.startsWith("@");
    const type = directive ? schema.getDirective(name.slice(1)) : schema.getType(name);
    const members = directive ? type.args : type.getFields ? Object.values(type.getFields()) : type.getValues ? type.getValues() : [];
    const kinds = isInterfaceType(type) ? schema.getPossibleTypes(type) : isUnionType(type) ? type.getTypes() : [];
    return [
      make("p", {}, lead(way.length > 1 ? parts("play.back_to", { type: make("code", {}, way.at(-2)) }) : text("play.back"), back)),
      make("h3", { tabindex: "-1" }, make("code", {}, name), " ", make("span", { class: "small soft" }, directive ? text("play.is_directive") : KIND(type))),
      ...told(type.description),
      members.length ? make("ul", { class: "members" }, ...members.map((each) => member(each, each.name === field))) : null,
      kinds.length ? make("h3", {}, text("play.kinds")) : null,
      kinds.length ? make("ul", {}, ...kinds.map((each) => make("li", {}, named(each)))) : null,
    ].filter(Boolean);
  }

  function member(each, shown) {
    const args = each.args?.length
      ? [make("ul", { class: "small" }, ...each.args.map((arg) => make("li", {}, make("code", {}, arg.name), ": ", typed(arg.type), " ", make("span", { lang: "en" }, arg.description))))]
      : [];
    return make(
      "li",
      shown ? { "data-field-shown": "", tabindex: "-1" } : {},
      make("code", {}, make("b", {}, each.name)),
      each.type ? ": " : null,
      each.type ? typed(each.type) : null,
      each.deprecationReason ? make("p", { class: "small" }, ...parts("play.deprecated", { why: english(each.deprecationReason) })) : null,
      ...told(each.description, "small"),
      ...args,
    );
  }

  get("find").addEventListener("input", later(() => draw(), 120));
  return { use, show };
}

// A description as the API has it, in English: paragraphs, and lists of lines that begin with a dash.
export function told(description, kind = "") {
  return (description ?? "").split(/\n\s*\n/).filter((each) => each.trim()).map((part) => {
    const lines = part.split("\n");
    return lines.every((line) => line.startsWith("- "))
      ? make("ul", { class: kind || null, lang: "en" }, ...lines.map((line) => make("li", {}, ...spelled(line.slice(2)))))
      : make("p", { class: kind || null, lang: "en" }, ...spelled(part));
  });
}

// What stands between backticks is code.
const spelled = (part) => part.split(/`([^`\n]+)`/).map((each, place) => (place % 2 ? make("code", {}, each) : each));

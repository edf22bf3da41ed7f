// The variables as an editor: which the operation wants and of which type, completion and checks by that.
import { json, jsonParseLinter } from "@codemirror/lang-json";
import { syntaxTree } from "@codemirror/language";
import { forceLinting, linter } from "@codemirror/lint";
import {
  getNamedType, getVariableValues, isEnumType, isInputObjectType, isInputType, isListType, isNonNullType, typeFromAST,
} from "graphql";
import { mount } from "../editor/mount.js";
import { parts, text } from "../texts.js";
import { make } from "./dom.js";

const KINDS = ["String", "ID", "Int", "Boolean", "Decimal", "Date"];

export function variablesEditor(textarea, { bindings, problems, wanted }) {
  const extensions = () => [
    json(),
    json().language.data.of({ autocomplete: (context) => complete(context, wanted()) }),
    linter((view) => check(view, wanted())),
  ];
  const editor = mount(textarea, { bindings, problems, extensions });
  return { ...editor, again: () => forceLinting(editor.view) };
}

// What an operation wants, by the schema: [{name, type, definition, needed}]; a type that is unknown is null.
export function wantedBy(operation, schema) {
  return (operation?.variableDefinitions ?? []).map((definition) => {
    const found = schema ? typeFromAST(schema, definition.type) : undefined;
    const type = isInputType(found) ? found : null;
    const needed = definition.type.kind === "NonNullType" && !definition.defaultValue;
    return { name: definition.variable.name.value, type, definition, needed };
  });
}

// The same for people, as nodes.
export function said(each) {
  const type = each.type ? named(each.type) : text("play.no_type");
  return parts(each.needed ? "play.wanted_needed" : "play.wanted", { name: make("code", {}, each.name), type });
}

function named(type) {
  if (isNonNullType(type)) return named(type.ofType);
  if (isListType(type)) return parts("play.several", { type: named(type.ofType) });
  if (isInputObjectType(type)) return make("code", {}, `${type.name} {${Object.keys(type.getFields()).join(", ")}}`);
  return KINDS.includes(type.name) ? text(`play.kind_${type.name}`) : make("code", {}, type.name);
}

// The variables with a place for each that is wanted and not there.
export function filled(written, wanted) {
  const values = written.trim() ? JSON.parse(written) : {};
  for (const { name, type } of wanted) if (!(name in values)) values[name] = empty(type);
  return `${JSON.stringify(values, null, 2)}\n`;
}

function empty(type) {
  if (isNonNullType(type)) return empty(type.ofType);
  if (isListType(type)) return [empty(type.ofType)];
  if (isEnumType(type)) return type.getValues()[0].name;
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).filter((field) => isNonNullType(field.type));
    return Object.fromEntries(fields.map((field) => [field.name, empty(field.type)]));
  }
  return { Int: 0, Boolean: false }[type?.name] ?? "";
}

const syntax = jsonParseLinter();

function check(view, { wanted, schema }) {
  const written = view.state.doc.toString();
  if (!written.trim()) return [];
  const wrong = syntax(view);
  if (wrong.length) return wrong;
  const values = JSON.parse(written);
  if (!values || typeof values !== "object" || Array.isArray(values)) {
    return [{ from: 0, to: written.length, severity: "error", message: text("play.no_object", { example: '{"name": 1}' }), own: true }];
  }
  const known = wanted.filter((each) => each.type);
  const { errors = [] } = schema ? getVariableValues(schema, known.map((each) => each.definition), values) : {};
  const marks = errors.map((error) => marked(written, error.message, /\$(\w+)/.exec(error.message)?.[1], "error"));
  const names = new Set(wanted.map((each) => each.name));
  for (const name of Object.keys(values)) {
    if (!names.has(name)) marks.push({ ...marked(written, text("play.no_variable", { name }), name, "warning"), own: true });
  }
  return marks;
}

function marked(written, message, name, severity) {
  const at = name ? written.indexOf(`"${name}"`) : -1;
  return at < 0 ? { from: 0, to: 1, severity, message } : { from: at, to: at + name.length + 2, severity, message };
}

// Names where a name goes, and what an enum may be where a value goes.
function complete(context, { wanted }) {
  const node = syntaxTree(context.state).resolveInner(context.pos, -1);
  const path = [];
  for (let each = node; each; each = each.parent) {
    if (each.name !== "Property") continue;
    const key = each.firstChild;
    if (key && !(key.from <= context.pos && context.pos <= key.to)) path.unshift(plain(context, key));
  }
  const type = path.length ? within(wanted.find((each) => each.name === path[0])?.type, path.slice(1)) : null;
  const before = context.matchBefore(/"?\w*/);
  if (!context.explicit && !before?.text) return null;
  const inObject = node.name === "Object" || node.name === "PropertyName" || node.parent?.name === "Property" && node === node.parent.firstChild;
  if (!path.length || (inObject && isInputObjectType(getNamedType(type)))) {
    const names = path.length ? Object.values(getNamedType(type).getFields()) : wanted;
    return offered(context, before, names.map((each) => ({ label: each.name, detail: each.type ? String(each.type) : "", end: ": " })));
  }
  const leaf = type && getNamedType(type);
  if (!isEnumType(leaf)) return null;
  return offered(context, before, leaf.getValues().map((each) => ({ label: each.name, info: each.description, end: "" })));
}

function offered(context, before, several) {
  const closed = context.state.sliceDoc(context.pos, context.pos + 1) === '"';
  const options = several.map(({ end, info, ...each }) => ({
    ...each, info: info ?? undefined, apply: closed ? `"${each.label}` : `"${each.label}"${end}`,
  }));
  return { from: before?.from ?? context.pos, options, filter: true };
}

const plain = (context, key) => context.state.sliceDoc(key.from + 1, key.to - 1);

function within(type, path) {
  const inner = type && getNamedType(type);
  if (!path.length) return inner;
  return isInputObjectType(inner) ? within(inner.getFields()[path[0]]?.type, path.slice(1)) : null;
}

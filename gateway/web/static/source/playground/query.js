// The query as an editor: colours, completion and checks by the schema, once there is one.
import { graphql as language, updateSchema } from "cm6-graphql";
import { parse, print, TokenKind, Lexer, Source } from "graphql";
import { mount } from "../editor/mount.js";

export function queryEditor(textarea, { bindings, problems, onShow }) {
  let schema;
  const options = { onShowInDocs: (field, type, parent) => onShow(parent && field ? { type: parent, field } : { type }) };
  const editor = mount(textarea, { bindings, problems, extensions: () => language(schema, options) });
  return {
    ...editor,
    use(given) {
      schema = given;
      updateSchema(editor.view, given);
    },
  };
}

// The document, or null where it is none.
export function read(text) {
  try {
    return parse(text, { noLocation: true });
  } catch {
    return null;
  }
}

export const operations = (document) => document?.definitions.filter((each) => each.kind === "OperationDefinition") ?? [];

// The name of the purpose that an operation declares; null where it declares none, or by a variable that is not there.
export function purposeOf(operation, variables) {
  const declared = operation?.directives.find((each) => each.name.value === "inquiry");
  const value = declared?.arguments.find((each) => each.name.value === "purpose")?.value;
  if (value?.kind === "EnumValue") return value.value;
  if (value?.kind === "Variable") return variables?.[value.name.value] ?? null;
  return null;
}

// The query written as it usually is. One with comments keeps its lines, and only what they begin with changes. Throws
// `GraphQLError` where it cannot be read.
export function tidied(text) {
  const document = parse(text);
  return text.includes("#") && hasComment(text) ? indented(text) : `${print(document)}\n`;
}

function hasComment(text) {
  return tokens(text).some((token) => token.kind === TokenKind.COMMENT);
}

// All that stands in it, comments too.
function tokens(text) {
  const lexer = new Lexer(new Source(text));
  const found = [];
  let token = lexer.token;
  while (lexer.advance().kind !== TokenKind.EOF);
  while ((token = token.next)) found.push(token);
  return found;
}

const OPENS = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]);
const CLOSES = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]);

function indented(text) {
  const lines = text.split("\n");
  const firsts = new Map();
  const inside = new Set();
  let depth = 0;
  for (const token of tokens(text)) {
    if (CLOSES.has(token.kind)) depth -= 1;
    if (!firsts.has(token.line)) firsts.set(token.line, depth);
    if (OPENS.has(token.kind)) depth += 1;
    if (token.kind === TokenKind.BLOCK_STRING) {
      const more = text.slice(token.start, token.end).split("\n").length - 1;
      for (let each = 1; each <= more; each += 1) inside.add(token.line + each);
    }
  }
  return lines
    .map((line, place) => (inside.has(place + 1) ? line : `${"  ".repeat(Math.max(0, firsts.get(place + 1) ?? 0))}${line.trim()}`))
    .join("\n");
}

// Cedar, as far as colours go: https://docs.cedarpolicy.com/policies/syntax-grammar.html
import { StreamLanguage } from "@codemirror/language";

const WORDS = new Set(["permit", "forbid", "when", "unless", "if", "then", "else", "in", "like", "has", "is"]);
const ROOTS = new Set(["principal", "action", "resource", "context"]);

export const cedar = StreamLanguage.define({
  name: "cedar",
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match("//")) {
      stream.skipToEnd();
      return "comment";
    }
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return "string";
    if (stream.match(/^@[A-Za-z_]\w*/)) return "attributeName";
    if (stream.match(/^\d+/)) return "number";
    const word = stream.match(/^[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*/);
    if (word) {
      if (WORDS.has(word[0])) return "keyword";
      if (word[0] === "true" || word[0] === "false") return "bool";
      if (ROOTS.has(word[0])) return "variableName";
      return word[0].includes("::") || stream.match('::"', false) ? "typeName" : "propertyName";
    }
    stream.next();
    return null;
  },
  languageData: { commentTokens: { line: "//" }, closeBrackets: { brackets: ["(", "[", "{", '"'] } },
});

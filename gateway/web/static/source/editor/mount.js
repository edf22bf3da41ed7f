// A CodeMirror in the place of a textarea, which stays the form's field.
//
// CodeMirror makes a <style> in a document, which the pages' policy blocks. In a shadow root it uses an adopted sheet.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { forEachDiagnostic, lintKeymap, setDiagnosticsEffect } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers } from "@codemirror/view";
import { english, number, parts, text } from "../texts.js";
import { colours, theme } from "./theme.js";

const MOST_TOLD = 5;

// Tab leaves the editor, as it leaves any field.
const keys = [...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, ...lintKeymap];

// What replaces a selection. A browser that does it itself writes a style into the text, which the policy blocks.
const replacing = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const given = event.data ?? event.dataTransfer?.getData("text/plain");
    if (!/^insert(Text|ReplacementText)$/.test(event.inputType) || given == null || view.composing) return false;
    const [from, to] = target(event, view);
    if (from === to) return false;
    const text = view.state.toText(given);
    const spec = { changes: { from, to, insert: text }, selection: { anchor: from + text.length }, userEvent: "input.type", scrollIntoView: true };
    const insert = () => view.state.update(spec);
    const taken = view.state.facet(EditorView.inputHandler).some((each) => each(view, from, to, given, insert));
    if (!taken) view.dispatch(insert());
    event.preventDefault();
    return true;
  },
});

// What the browser is about to replace. Its selection can be newer than the editor's; in a shadow root not every browser tells.
function target(event, view) {
  const [range] = event.getTargetRanges();
  const own = view.root.getSelection?.();
  const ends = range
    ? [[range.startContainer, range.startOffset], [range.endContainer, range.endOffset]]
    : [[own?.anchorNode, own?.anchorOffset], [own?.focusNode, own?.focusOffset]];
  if (!ends.every(([node]) => view.contentDOM.contains(node ?? null))) return [view.state.selection.main.from, view.state.selection.main.to];
  return ends.map(([node, offset]) => view.posAtDOM(node, offset)).sort((one, other) => one - other);
}

// What CodeMirror says, by what it says in English.
const phrases = EditorState.phrases.of({
  Completions: text("editor.completions"),
  "Control character": text("editor.control"),
  Diagnostics: text("editor.problems"),
  "No diagnostics": text("editor.no_problems"),
  "Selection deleted": text("editor.deleted"),
  "Fold line": text("editor.fold"),
  "Unfold line": text("editor.unfold"),
  "Folded lines": text("editor.folded"),
  "Unfolded lines": text("editor.unfolded"),
  "folded code": text("editor.folded_code"),
  close: text("editor.close"),
  to: text("editor.to"),
  unfold: text("editor.unfold"),
});

const common = [
  phrases,
  lineNumbers(),
  foldGutter(),
  history(),
  drawSelection(),
  indentOnInput(),
  bracketMatching(),
  closeBrackets(),
  replacing,
  autocompletion({ icons: false }),
  EditorView.lineWrapping,
  EditorState.tabSize.of(2),
  syntaxHighlighting(colours),
  theme,
];
// Puts an editor in a textarea's place. `extensions` gives CodeMirror's; `bindings` are keys that go before all others;
// `problems` is an element for a list of what is wrong, for those who do not see the marks. A mark with `own` has a text of the
// page's own; what others find is in English.
export function mount(textarea, { extensions = () => [], bindings = [], problems = null } = {}) {
  const host = document.createElement("div");
  host.className = "editor";
  const root = host.attachShadow({ mode: "open" });
  const parent = document.createElement("div");
  root.append(parent);
  const labels = [...(textarea.labels ?? [])];
  const label = labels.map((each) => each.textContent.trim()).join(" ") || textarea.getAttribute("aria-label") || "";
  const hints = (textarea.getAttribute("aria-describedby") ?? "").split(/\s+/).filter(Boolean);
  const described = hints.map((id) => document.getElementById(id)?.textContent.trim() ?? "").join(" ");
  const attributes = { "aria-label": label, spellcheck: "false", autocapitalize: "off" };
  if (described) attributes["aria-description"] = described;
  const follow = EditorView.updateListener.of((update) => {
    if (update.docChanged) {
      textarea.value = update.state.doc.toString();
      textarea.dispatchEvent(new Event("input", { bubbles: true }));
    }
    const told = update.transactions.some((each) => each.effects.some((effect) => effect.is(setDiagnosticsEffect)));
    if (problems && told) tell(update.state, problems);
  });
  const begin = (doc) =>
    EditorState.create({
      doc,
      extensions: [
        keymap.of([...bindings, ...keys]),
        ...common,
        EditorView.contentAttributes.of(attributes),
        EditorState.readOnly.of(textarea.readOnly || textarea.disabled),
        follow,
        extensions(),
      ],
    });
  const view = new EditorView({ root, parent, state: begin(textarea.value) });
  for (const each of labels) each.addEventListener("click", () => view.focus());
  // What is wrong leads to the field, which is hidden.
  for (const each of document.querySelectorAll(`a[href="#${textarea.id}"]`)) {
    each.addEventListener("click", (event) => {
      event.preventDefault();
      view.focus();
    });
  }
  textarea.hidden = true;
  textarea.after(host);
  return {
    view,
    host,
    focus: () => view.focus(),
    text: () => view.state.doc.toString(),
    write(text) {
      if (text === view.state.doc.toString()) return;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    // Another document, whose past is its own.
    open(text) {
      view.setState(begin(text));
      textarea.value = text;
      if (problems) tell(view.state, problems);
    },
  };
}

function tell(state, problems) {
  const found = [];
  forEachDiagnostic(state, (each, from) => {
    const problem = each.own ? each.message : english(each.message);
    found.push(parts("editor.line", { line: String(state.doc.lineAt(from).number), problem }));
  });
  const more = found.length - MOST_TOLD;
  const shown = more > 0 ? [...found.slice(0, MOST_TOLD), [number("editor.more", more)]] : found;
  const list = document.createElement("ul");
  for (const each of shown) {
    const item = document.createElement("li");
    item.append(...each);
    list.append(item);
  }
  problems.replaceChildren(...(shown.length ? [list] : []));
  problems.hidden = !found.length;
}

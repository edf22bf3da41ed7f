// How code looks: by the pages' own colours, so that light, dark and the reader's own settings hold here too.
import { HighlightStyle } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export const theme = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--sheet)", border: "2px solid var(--edge)", borderRadius: "4px" },
  "&.cm-focused": { outline: "3px solid var(--ink)", outlineOffset: "2px", boxShadow: "0 0 0 2px var(--brass)" },
  ".cm-scroller": { fontFamily: "var(--mono)", fontSize: ".8125rem", lineHeight: "1.5", minHeight: "var(--tall, 7rem)", maxHeight: "32rem" },
  ".cm-content": { padding: ".5rem 0", caretColor: "var(--ink)" },
  ".cm-gutters": { color: "var(--soft)", backgroundColor: "var(--plain)", border: "0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--heat1)" },
  "&.cm-focused .cm-matchingBracket": { color: "inherit", backgroundColor: "var(--plain)", outline: "1px solid var(--edge)" },
  "&.cm-focused .cm-nonmatchingBracket": { color: "var(--bad)", backgroundColor: "transparent" },
  ".cm-foldPlaceholder": { color: "var(--soft)", backgroundColor: "var(--plain)", border: "0" },
  ".cm-tooltip": { color: "var(--ink)", backgroundColor: "var(--sheet)", border: "1px solid var(--edge)", borderRadius: "4px", maxWidth: "min(34rem, 92vw)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: ".8125rem", maxHeight: "14rem" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: ".25rem .5rem", minHeight: "1.5rem" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { color: "var(--act-ink)", backgroundColor: "var(--act)" },
  ".cm-tooltip-autocomplete ul li[aria-selected] .cm-completionDetail": { color: "var(--act-ink)" },
  ".cm-completionDetail": { color: "var(--soft)", fontStyle: "normal" },
  ".cm-completionMatchedText": { fontWeight: "600", textDecoration: "underline" },
  ".cm-tooltip.cm-completionInfo": { padding: ".5rem .75rem", whiteSpace: "pre-line", font: ".875rem/1.5 var(--sans)" },
  ".cm-diagnostic": { font: ".875rem/1.5 var(--sans)", borderLeftWidth: "5px" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  ".cm-panels": { color: "var(--ink)", backgroundColor: "var(--plain)" },
  ".cm-button": { color: "var(--ink)", backgroundImage: "none", backgroundColor: "var(--sheet)" },
});

export const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.definitionKeyword, tags.modifier], color: "var(--link)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--ok)" },
  { tag: [tags.number, tags.integer, tags.float, tags.bool, tags.null], color: "var(--warn)" },
  { tag: [tags.special(tags.name), tags.typeName, tags.atom], color: "var(--info)" },
  { tag: tags.variableName, color: "var(--bad)" },
  { tag: [tags.attributeName, tags.definition(tags.propertyName)], color: "var(--info)" },
  { tag: [tags.propertyName, tags.content], color: "var(--ink)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--soft)", fontStyle: "italic" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

// Checks while somebody types: the form is sent to an address, which says what is wrong and where.
//
// It answers JSON, `{"problems": [{line, column, message, severity?, end_line?, end_column?}]}`, all counted from 1. What
// it is asked is the form's own fields, so that the address decides as it will when the form is sent.
import { linter } from "@codemirror/lint";

const WAIT = 600;

// A linter for a textarea with `data-check`, or nothing where there is none. A check that fails says nothing: the form
// is checked again when it is sent.
export function checking(textarea) {
  const address = textarea.dataset.check;
  if (!address) return [];
  let last = null;
  return linter(
    async (view) => {
      last?.abort();
      const asked = (last = new AbortController());
      const body = new URLSearchParams(textarea.form ? new FormData(textarea.form) : [[textarea.name, textarea.value]]);
      try {
        const response = await fetch(address, {
          method: "POST", body, signal: asked.signal, headers: { Accept: "application/json" },
          credentials: "same-origin", cache: "no-store", redirect: "error",
        });
        if (!response.ok) return [];
        const { problems } = await response.json();
        return problems.map((each) => placed(view.state.doc, each));
      } catch {
        return [];
      }
    },
    { delay: WAIT },
  );
}

function placed(doc, { line = 1, column = 1, end_line: endLine, end_column: endColumn, message, severity = "error" }) {
  const from = at(doc, line, column);
  const to = endLine ? at(doc, endLine, endColumn ?? 1) : doc.lineAt(from).to;
  return { from, to: Math.max(from, to), message: String(message), severity };
}

function at(doc, line, column) {
  const found = doc.line(Math.min(Math.max(1, line), doc.lines));
  return Math.min(found.from + Math.max(0, column - 1), found.to);
}

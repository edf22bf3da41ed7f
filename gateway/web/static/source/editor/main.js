// Makes an editor of each textarea with `data-editor="yaml"` or `"cedar"`. Without this script they are plain fields.
//
//   <textarea name="text" data-editor="cedar" data-check="/where/it/is/checked" data-problems="id-of-an-element">
//
// `data-check` has it checked while somebody types (`checking.js`); `data-problems` names an element for a list of what is wrong.
// Whoever leaves the page with a text that was not sent is asked first (`leaving.js`).
import { yaml } from "@codemirror/lang-yaml";
import { cedar } from "./cedar.js";
import { checking } from "./checking.js";
import { guard } from "./leaving.js";
import { mount } from "./mount.js";

const LANGUAGES = { yaml, cedar: () => cedar };

export function edit(textarea) {
  const language = LANGUAGES[textarea.dataset.editor];
  const problems = document.getElementById(textarea.dataset.problems ?? "");
  guard(textarea);
  return mount(textarea, { extensions: () => [language ? language() : [], checking(textarea)], problems });
}

for (const textarea of document.querySelectorAll("textarea[data-editor]")) edit(textarea);

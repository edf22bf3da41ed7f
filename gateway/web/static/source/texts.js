// The page's own texts, which the gateway writes into it: `data-texts` of one of its elements is JSON, text by name.
const all = JSON.parse(document.querySelector("[data-texts]")?.dataset.texts ?? "{}");

// A text, with what stands in braces filled in.
export const text = (name, values = {}) => (all[name] ?? name).replace(/\{(\w+)\}/g, (_, field) => String(values[field] ?? ""));

// The same as nodes, where elements are filled in too.
export const parts = (name, values) =>
  (all[name] ?? name).split(/\{(\w+)\}/).flatMap((part, place) => (place % 2 ? values[part] : part)).filter((each) => each !== "");

// What a library or the gateway's API says; both speak English.
export const english = (words) => Object.assign(document.createElement("span"), { lang: "en", textContent: words });

// The text for one, or for several.
export const number = (name, count, values = {}) => text(`${name}.${count === 1 ? "one" : "many"}`, { count, ...values });

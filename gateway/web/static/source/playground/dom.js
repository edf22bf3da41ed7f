// Small helpers for what a page is made of. Text is always text: nothing here reads HTML.
export const get = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((each) => each !== null && each !== undefined && each !== ""));
  return element;
}

// A button that looks like a link, for what leads on within the page.
export const lead = (text, onclick, attributes = {}) => make("button", { type: "button", class: "lead-on", onclick, ...attributes }, ...[text].flat());

// Calls `act` once nothing more came for a while.
export function later(act, wait) {
  let timer = 0;
  const call = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), wait);
  };
  call.now = (...values) => {
    clearTimeout(timer);
    act(...values);
  };
  return call;
}

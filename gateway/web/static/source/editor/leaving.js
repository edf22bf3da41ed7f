// Has the browser ask before a page is left whose text was changed and not sent. `data-unsaved` marks a text that came
// back without having been saved.
export function guard(textarea) {
  let sent = false;
  textarea.form?.addEventListener("submit", () => (sent = true));
  addEventListener("pageshow", () => (sent = false));
  addEventListener("beforeunload", (event) => {
    if (sent || !("unsaved" in textarea.dataset || textarea.value !== textarea.defaultValue)) return;
    event.preventDefault();
    event.returnValue = true; // what browsers before 2023 look at
  });
}

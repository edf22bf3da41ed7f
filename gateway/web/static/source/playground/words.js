// Dates and lists as people write them.
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const MOMENT = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const LIST = new Intl.ListFormat("en-GB", { type: "conjunction" });

const written = (form, text) => {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? String(text) : form.format(at);
};

export const day = (text) => written(DAY, text);
export const moment = (text) => written(MOMENT, text).replace(" at ", ", ");
export const time = (text) => written(TIME, text);
export const list = (several) => LIST.format(several);
export const count = (number, one, more = `${one}s`) => `${number} ${number === 1 ? one : more}`;
export const articles = (several) => (several.length ? `${several.length > 1 ? "articles" : "article"} ${list(several)}` : "");

// Dates and lists as people write them in the page's language.
import { text } from "../texts.js";
import { make } from "./dom.js";

const LANGUAGE = document.documentElement.lang;
const DAY = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const HERE = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "long", year: "numeric" });
const SECOND = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const TIME = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit" });
const LIST = new Intl.ListFormat(LANGUAGE, { type: "conjunction" });

const written = (form, moment) => {
  const at = new Date(moment);
  return Number.isNaN(at.getTime()) ? String(moment) : form.format(at);
};

export const day = (date) => written(DAY, date);
export const moment = (at) => `${written(HERE, at)}, ${written(SECOND, at)}`;
export const time = (at) => written(TIME, at);
export const list = (several) => LIST.format(several);

// A list of names in code, as nodes.
export const coded = (several) => LIST.formatToParts(several).map(({ type, value }) => (type === "element" ? make("code", {}, value) : value));

export const articles = (several) =>
  several.length ? text(several.length > 1 ? "play.articles" : "play.article", { articles: list(several) }) : "";

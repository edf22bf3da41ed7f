// What this browser tab keeps: its sheets and what was run. It ends with the tab; the token is never among it.
const SHEETS = "dutybound.playground.sheets";
const PAST = "dutybound.playground.past";
const MOST_PAST = 50;
const MOST_TEXT = 100_000;

const text = (value) => (typeof value === "string" ? value.slice(0, MOST_TEXT) : "");

function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

// A browser that keeps nothing, or has no room left, is no reason to stop.
function write(name, value) {
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    try {
      sessionStorage.removeItem(name);
    } catch {
      return;
    }
  }
}

export function readSheets() {
  const kept = read(SHEETS);
  const sheets = Array.isArray(kept?.sheets) ? kept.sheets.map(({ query, variables }) => ({ query: text(query), variables: text(variables) })) : [];
  const current = Number.isInteger(kept?.current) && kept.current >= 0 && kept.current < sheets.length ? kept.current : 0;
  return { sheets, current };
}

export const writeSheets = (sheets, current) => write(SHEETS, { sheets, current });

export function readPast() {
  const kept = read(PAST);
  return Array.isArray(kept) ? kept.map((each) => ({ ...each, query: text(each?.query), variables: text(each?.variables) })) : [];
}

export function addPast(run) {
  const last = readPast().filter((each) => each.query !== run.query || each.variables !== run.variables);
  write(PAST, [run, ...last].slice(0, MOST_PAST));
}

export const forgetPast = () => write(PAST, []);

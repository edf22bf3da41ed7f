// Asking the gateway: one operation a request, with the token that stands in the page and nowhere else.
import { text } from "../texts.js";

const MEDIA = "application/graphql-response+json, application/json";

// Gives {status, text, content, took}: `text` is the answer to the byte. Throws where there is no answer.
export async function ask(token, body) {
  const headers = { "Content-Type": "application/json", Accept: MEDIA };
  if (token) headers.Authorization = `Bearer ${token}`;
  const started = performance.now();
  const response = await fetch(location.pathname, {
    method: "POST", headers, body: JSON.stringify(body), credentials: "omit", cache: "no-store", redirect: "error",
  });
  const answer = await response.text();
  let content;
  try {
    content = JSON.parse(answer);
  } catch {
    content = { errors: [{ message: answer.slice(0, 500) || text("play.empty") }] };
  }
  return { status: response.status, text: answer, content, took: performance.now() - started };
}

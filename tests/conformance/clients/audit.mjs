// The GraphQL-over-HTTP audits of graphql-http, each with a token on its requests.
// Standard input: {"url", "token"}; standard output: [{"id", "name", "status", "reason"}].

import { serverAudits } from "graphql-http";
import { input, told } from "./io.mjs";

const { url, token } = await input();

const fetchFn = (address, options = {}) => {
  const headers = new Headers(options.headers);
  headers.set("Authorization", `Bearer ${token}`);
  return fetch(address, { ...options, headers });
};

const results = [];
for (const audit of serverAudits({ url, fetchFn })) {
  const { id, name, status, reason, response } = await audit.fn();
  const answer = response && `${response.status} ${await response.text().catch(() => "")}`.slice(0, 300);
  results.push({ id, name, status, reason, answer });
}
told(results);

// A client written by someone else, graphql-request, runs one operation.
// Standard input: {"url", "token", "document", "variables"}; standard output: {"status", "headers", "data", "errors", "extensions"}.

import { GraphQLClient } from "graphql-request";
import { input, told } from "./io.mjs";

const asked = await input();
let headers = {};
const client = new GraphQLClient(asked.url, {
  headers: { Authorization: `Bearer ${asked.token}` },
  errorPolicy: "all",
  responseMiddleware: (response) => { headers = Object.fromEntries(response.headers ?? response.response?.headers ?? []); },
});
const { status, data, errors, extensions } = await client.rawRequest(asked.document, asked.variables);
told({ status, headers, data, errors, extensions });

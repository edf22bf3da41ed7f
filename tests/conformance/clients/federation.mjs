// A subgraph of somebody else's, `permits`, whose permits name an organisation; and its composition with this one.

import { composeServices } from "@apollo/composition";
import { buildSchema, parse } from "graphql";
export { input, told } from "./io.mjs";

const operations = `
  type Query { permit(number: String!): Permit }
  type Permit { number: String! holder: Organisation! }
`;

const permitsSdl = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
  ${operations}
  type Organisation @key(fields: "scheme value", resolvable: false) { scheme: String! value: String! }
`;

export const permitsSchema = buildSchema(`${operations} type Organisation { scheme: String! value: String! }`);

export const composeSubgraphs = (url, sdl) =>
  composeServices([
    { name: "dutybound", url, typeDefs: parse(sdl) },
    { name: "permits", url: "http://permits.invalid/graphql", typeDefs: parse(permitsSdl) },
  ]);

// A subgraph of somebody else's, `permits`, whose permits name an organisation; and its composition with this one.
// As federation asks of an enum that is both read and written, `permits` has this one's `IdentifierScheme`, word for word.

import { composeServices } from "@apollo/composition";
import { buildSchema, Kind, parse, print } from "graphql";
export { input, told } from "./io.mjs";

const operations = `
  type Query { permit(number: String!): Permit }
  type Mutation { returnPermit(number: String!): Permit }
  type Permit { number: String! holder: Organisation! }
`;

const schemes = (sdl) =>
  parse(sdl).definitions
    .filter(({ kind, name }) => kind === Kind.ENUM_TYPE_DEFINITION && name.value === "IdentifierScheme")
    .map(print).join("\n");

export const permitsSchema = (sdl) =>
  buildSchema(`${schemes(sdl)} ${operations} type Organisation { scheme: IdentifierScheme! value: String! }`);

const permitsSdl = (sdl) => `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
  ${schemes(sdl)}
  ${operations}
  type Organisation @key(fields: "scheme value", resolvable: false) { scheme: IdentifierScheme! value: String! }
`;

export const composeSubgraphs = (url, sdl) =>
  composeServices([
    { name: "dutybound", url, typeDefs: parse(sdl) },
    { name: "permits", url: "http://permits.invalid/graphql", typeDefs: parse(permitsSdl(sdl)) },
  ]);

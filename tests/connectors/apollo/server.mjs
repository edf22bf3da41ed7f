// A department's GraphQL server as others write it: a subgraph of @apollo/subgraph under @apollo/server, with a field
// for a subject beside `_entities`. What is wrong is named by the subject's identifier.
// usage: node server.mjs PORT; its `ready` line says that it listens.

import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { GraphQLError, parse } from "graphql";

const parts = "scheme: String! value: String! files(closed: Boolean): Files prizes: [Prize!]";
const typeDefs = parse(`
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
  type Query { party(scheme: String!, number: ID!): Party }
  interface Party { ${parts} }
  type Organisation implements Party @key(fields: "scheme value") { ${parts} }
  type Person implements Party @key(fields: "scheme value") { ${parts} }
  type Files { nodes: [File!] }
  type File { docket: ID! issue: Int! writ: String inForce: String debtor: Party! term: String sum: Money secret: String }
  type Money { value: String unit: String }
  type Prize { docket: ID! issue: Int! name: String! debtor: Party! }
`);

const broken = () => { throw new GraphQLError("never to be seen", { extensions: { code: "NEVER_TO_BE_SEEN" } }); };

function party(scheme, value) {
  if (value === "NOBODY") return null;
  if (value === "WHOLE") broken();
  const about = { __typename: scheme === "PIN" ? "Person" : "Organisation", scheme, value };
  const debtor = value === "ANOTHER" ? { ...about, value: "OTHER" } : about;
  const file = {
    docket: `F-${value}`, issue: value === "OVERFLOW" ? 2 ** 40 : 3, writ: "W", inForce: "2026-01-01", debtor,
    term: value === "NULLS" ? null : "2025", secret: () => broken(),
    sum: value === "LEAF" ? () => broken() : { value: "9.90", unit: "EUR" },
  };
  return {
    ...about,
    files: ({ closed }) => {
      if (value === "FIELD") broken();
      return value === "NULLS" ? { nodes: null } : { nodes: closed ? [] : [file] };
    },
    prizes: () => (value === "NULL IN A LIST" ? [null] : [{ docket: `P-${value}`, issue: 1, name: "Prize", debtor }]),
  };
}

const reference = { __resolveReference: async ({ scheme, value }) => party(scheme, value) };
const resolvers = {
  Query: { party: (_, { scheme, number }) => party(scheme, number) },
  Organisation: reference,
  Person: reference,
};

const server = new ApolloServer({ schema: buildSubgraphSchema({ typeDefs, resolvers }) });
await startStandaloneServer(server, { listen: { host: "127.0.0.1", port: Number(process.argv[2]) } });
console.log("ready to answer");

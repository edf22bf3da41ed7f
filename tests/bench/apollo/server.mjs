// The same answer as the gateway's, by @apollo/gateway and @apollo/server with their defaults, over the bench's
// departments as subgraphs. It has no rules, no ledger and no receipts.
// usage: node server.mjs PORT DEPARTMENTS_JSON; says `ready` when it listens.
// The first department's subgraph has the root field; the others are reached by `_entities`, in parallel.

import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { ApolloGateway } from "@apollo/gateway";
import { composeServices } from "@apollo/composition";
import { parse } from "graphql";

const [port, departments] = [Number(process.argv[2]), JSON.parse(process.argv[3])];

function sdl(name, first) {
  const type = name[0].toUpperCase() + name.slice(1) + "Notices";
  return `
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
    scalar Decimal
    scalar Date
    type Organisation @key(fields: "scheme value") { scheme: String! value: String! ${name}Notices: [${type}!] }
    type ${type} {
      reference: String activity: String quantity: Int year: Int amount: Decimal fee: Decimal decidedOn: Date
      final: Boolean
    }
    ${first ? "input IdentifierInput { scheme: String! value: String! } type Query { organisation(id: IdentifierInput!): Organisation }" : ""}
  `;
}

const composed = composeServices(
  Object.entries(departments).map(([name, url], index) => ({ name, url: `${url}/graphql`, typeDefs: parse(sdl(name, index === 0)) })),
);
if (composed.errors) throw new Error(composed.errors.map(String).join("\n"));

const server = new ApolloServer({ gateway: new ApolloGateway({ supergraphSdl: composed.supergraphSdl }) });
await startStandaloneServer(server, { listen: { host: "127.0.0.1", port } });
console.log("ready");

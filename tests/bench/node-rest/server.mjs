// The same answer as the gateway's, by fastify, mercurius with its compiler and undici's pools, over the departments'
// REST interfaces. It has no rules, no ledger and no receipts.
// usage: node server.mjs PORT DEPARTMENTS_JSON; says `ready` when it listens.

import Fastify from "fastify";
import mercurius from "mercurius";
import { Pool } from "undici";

const [port, departments] = [Number(process.argv[2]), JSON.parse(process.argv[3])];
const names = Object.keys(departments);
const title = (name) => `${name[0].toUpperCase()}${name.slice(1)}Notices`;

const schema = `
  scalar Decimal
  scalar Date
  input IdentifierInput { scheme: String! value: String! }
  type Query { organisation(id: IdentifierInput!): Organisation }
  type Organisation { ${names.map((name) => `${name}Notices: [${title(name)}!]`).join(" ")} }
  ${names
    .map(
      (name) => `type ${title(name)} {
        reference: String activity: String quantity: Int year: Int amount: Decimal fee: Decimal decidedOn: Date
        final: Boolean
      }`,
    )
    .join("\n")}
`;

const mapped = (item) => ({
  reference: item.refNo,
  activity: item.act,
  quantity: item.qty,
  year: item.yr,
  amount: item.sum.total,
  fee: item.sum.fee,
  decidedOn: item.decided,
  final: item.isFinal,
});

function notices(url) {
  const pool = new Pool(url, { connections: 64 });
  return async (organisation) => {
    const { statusCode, body } = await pool.request({
      method: "GET",
      path: `/subjects/${organisation.scheme}/${organisation.value}/notices`,
    });
    if (statusCode !== 200) throw new Error(`a department answered ${statusCode}: ${await body.text()}`);
    return (await body.json()).items.map(mapped);
  };
}

const resolvers = {
  Query: { organisation: (_, { id }) => id },
  Organisation: Object.fromEntries(names.map((name) => [`${name}Notices`, notices(departments[name])])),
};

const server = Fastify();
await server.register(mercurius, { schema, resolvers, jit: 1 });
await server.listen({ host: "127.0.0.1", port });
console.log("ready");

// Apollo's gateway reads a subject through `_entities`, handing on the caller's token and the `Inquiry` header.
// Standard input: {"url", "token", "inquiry", "sdl", "holder", "document"}; standard output: {"data", "errors", "sent"}.

import { ApolloServer } from "@apollo/server";
import { ApolloGateway, LocalGraphQLDataSource, RemoteGraphQLDataSource } from "@apollo/gateway";
import { graphql } from "graphql";
import { composeSubgraphs, input, permitsSchema, told } from "./federation.mjs";

const { url, token, inquiry, sdl, holder, document } = await input();

const { supergraphSdl, errors: refused } = composeSubgraphs(url, sdl);
if (refused) throw new Error(refused.map(String).join("\n"));

const sent = [];

class Forwarding extends RemoteGraphQLDataSource {
  willSendRequest({ request, context }) {
    if (context.token) request.http.headers.set("authorization", `Bearer ${context.token}`);
    if (context.inquiry) request.http.headers.set("inquiry", context.inquiry);
    sent.push(request.query);
  }
}

class Permits extends LocalGraphQLDataSource {
  async process({ request }) {
    const rootValue = { permit: ({ number }) => ({ number, holder }) };
    return graphql({ schema: this.schema, source: request.query, rootValue, variableValues: request.variables });
  }
}

const gateway = new ApolloGateway({
  supergraphSdl,
  buildService: ({ name, url: address }) => (name === "permits" ? new Permits(permitsSchema(sdl)) : new Forwarding({ url: address })),
});
const server = new ApolloServer({ gateway });
await server.start();
const { body } = await server.executeOperation({ query: document }, { contextValue: { token, inquiry } });
await server.stop();
told({ data: body.singleResult.data, errors: body.singleResult.errors, sent });

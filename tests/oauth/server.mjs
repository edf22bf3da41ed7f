// An authorization server on node oidc-provider, for the tests: JWT and opaque tokens, DPoP, client certificates,
// authorization_details, introspection, revocation, and a rotation of keys. One line of JSON in: {clients, audience};
// one line out: {issuer}. `POST /rotate` signs with new keys and publishes the old ones too; `?drop` publishes the new only.
import crypto from 'node:crypto';
import http from 'node:http';
import { X509Certificate } from 'node:crypto';
import Provider from 'oidc-provider';

const line = await new Promise((resolve) => process.stdin.once('data', (data) => resolve(String(data))));
const { clients, audience } = JSON.parse(line);

let serial = 0;
function newKeys() {
  serial += 1;
  return [
    { alg: 'RS256', pair: crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }) },
    { alg: 'ES256', pair: crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
  ].map(({ alg, pair }) => ({ ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${serial}` }));
}

const scope = 'inquire inquire:tax-arrears recalls';
const resources = { 'urn:gateway:jwt': 'jwt', 'urn:gateway:opaque': 'opaque' };
const details = (ctx, token) => token.rar;

function provider(issuer, keys) {
  return new Provider(issuer, {
    clients,
    jwks: { keys },
    scopes: scope.split(' '),
    ttl: { ClientCredentials: 600 },
    clientDefaults: { id_token_signed_response_alg: 'RS256' },
    extraClientMetadata: { properties: ['act', 'acr'] },
    extraTokenClaims: (ctx, token) => {
      const { act, acr } = ctx.oidc.client;
      return { act, acr };
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: (ctx) => {
          const given = ctx.get('x-test-certificate');
          return given ? new X509Certificate(Buffer.from(given, 'base64')) : undefined;
        },
      },
      richAuthorizationRequests: {
        enabled: true,
        types: { 'subject-inquiry': { validate: () => undefined } },
        authorizationDetailsForGrantSource: (ctx) => JSON.parse(ctx.oidc.params.authorization_details),
        authorizationDetailsForAccessToken: (ctx) => JSON.parse(ctx.oidc.params.authorization_details),
        authorizationDetailsForIntrospection: details,
      },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource) => ({
          scope,
          audience,
          accessTokenTTL: 600,
          accessTokenFormat: resources[resource],
          jwt: { sign: { alg: ctx.oidc.client.clientId === 'market-regulator' ? 'ES256' : 'RS256' } },
        }),
      },
    },
  });
}

let keys = newKeys();
let handle;
const server = http.createServer((request, response) => {
  if (request.method === 'POST' && request.url.startsWith('/rotate')) {
    keys = [...newKeys(), ...(request.url.endsWith('?drop') ? [] : keys)];
    handle = provider(issuer, keys).callback();
    response.end('{}');
    return;
  }
  handle(request, response);
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
handle = provider(issuer, keys).callback();
console.log(JSON.stringify({ issuer }));
process.stdin.on('end', () => process.exit(0));

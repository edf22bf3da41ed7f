// An authorization server on node oidc-provider, for the tests: JWT and opaque tokens, DPoP, client certificates,
// authorization_details, introspection, revocation, a rotation of keys, and what Keycloak gives instead (`shapes`). One line of JSON in: {clients, audience};
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

// What Keycloak signs, by its documentation and its tokens: every JWT is typed `JWT`, the claim `typ` tells them apart, the
// client is `azp`, and a service account has a subject of its own.
const shapes = {
  'keycloak-access': (jwt) => {
    const { client_id: azp, ...payload } = jwt.payload;
    Object.assign(payload, { azp, typ: 'Bearer', sub: 'f1a7a6a6-0000-4000-8000-000000000001', acr: '1' });
    return { header: { ...jwt.header, typ: 'JWT' }, payload };
  },
  'keycloak-id': (jwt) => {
    const { client_id: azp, scope: _, ...payload } = jwt.payload;
    Object.assign(payload, { azp, typ: 'ID', aud: [azp, audience], sub: 'someone', at_hash: 'x' });
    return { header: { ...jwt.header, typ: 'JWT' }, payload };
  },
};

function provider(issuer, keys) {
  return new Provider(issuer, {
    clients,
    jwks: { keys },
    scopes: scope.split(' '),
    ttl: { ClientCredentials: 600 },
    clientDefaults: { id_token_signed_response_alg: 'RS256' },
    extraClientMetadata: { properties: ['act', 'acr', 'shape'] },
    formats: {
      customizers: {
        jwt: (ctx, token, jwt) => {
          const shaped = shapes[ctx.oidc.client.shape]?.(jwt);
          return shaped ? Object.assign(jwt, shaped) : undefined;
        },
      },
    },
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

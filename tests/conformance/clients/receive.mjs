// A recipient verifies what it was sent: by the reference library of Standard Webhooks (v1), and by an Ed25519 library
// of its own (v1a). Standard input: {"secret", "key", "messages": [{"headers", "body"}]}; standard output, a message
// each: {"v1": true|"why", "v1a": true|"why"}. A message that came before is refused by its id.

import { verifyAsync } from "@noble/ed25519";
import { Webhook } from "standardwebhooks";
import { input, told } from "./io.mjs";

const TOLERANCE = 300;
const asked = await input();
const seen = { v1: new Set(), v1a: new Set() };

async function symmetric({ headers, body }) {
  new Webhook(asked.secret).verify(body, headers);
}

async function asymmetric({ headers, body }) {
  const key = Buffer.from(asked.key.replace(/^whpk_/, ""), "base64");
  const { "webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": signatures } = headers;
  if (Math.abs(Date.now() / 1000 - Number(stamp)) > TOLERANCE) throw new Error("too old, or too new");
  const signed = new TextEncoder().encode(`${id}.${stamp}.${body}`);
  for (const each of signatures.split(" ")) {
    const [version, value] = each.split(",");
    if (version === "v1a" && (await verifyAsync(new Uint8Array(Buffer.from(value, "base64")), signed, new Uint8Array(key)))) return;
  }
  throw new Error("no signature is right");
}

async function judged(how, verify, message) {
  try {
    await verify(message);
    const id = message.headers["webhook-id"];
    if (seen[how].has(id)) throw new Error("it came before");
    seen[how].add(id);
    return true;
  } catch (error) {
    return error.message;
  }
}

const results = [];
for (const message of asked.messages) {
  results.push({ v1: await judged("v1", symmetric, message), v1a: await judged("v1a", asymmetric, message) });
}
told(results);

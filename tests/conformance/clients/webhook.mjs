// A department's system signs a message with the reference library of Standard Webhooks, and sends it.
// Standard input: {"url", "secret", "id", "at", "body", "sent", "raw"}; standard output: {"status", "body"}.
// "sent" is what is sent in place of the body that was signed; an answer of no JSON is told "raw".

import { Webhook } from "standardwebhooks";
import { input, told } from "./io.mjs";

const asked = await input();
const at = new Date(asked.at * 1000);
const answer = await fetch(asked.url, {
  method: "POST",
  headers: {
    "content-type": "application/json",
    "webhook-id": asked.id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(asked.secret).sign(asked.id, at, asked.body),
  },
  body: asked.sent ?? asked.body,
});
const text = await answer.text();
told({ status: answer.status, body: asked.raw ? text : text && JSON.parse(text) });

// A signed note (c2sp.org/signed-note) checked with two other implementations of Ed25519: noble's, and Node's (OpenSSL).
// Standard input: {"note", "vkey"}; standard output: {"matches", "noble", "node"}: signatures of that key, and whether each verifies.

import { createHash, createPublicKey, verify } from "node:crypto";
import { verifyAsync } from "@noble/ed25519";
import { input, told } from "./io.mjs";

const { note, vkey } = await input();
const [name, hash, ...rest] = vkey.split("+");
const key = Buffer.from(rest.join("+"), "base64");
const publicKey = key.subarray(1);
if (key[0] !== 1 || publicKey.length !== 32) throw new Error("the verifier key is not Ed25519");
const id = createHash("sha256").update(name).update("\n").update(key).digest().subarray(0, 4);
if (id.toString("hex") !== hash) throw new Error("the verifier key does not have its hash");

const end = note.lastIndexOf("\n\n") + 1;
const message = Buffer.from(note.slice(0, end));
const signatures = note
  .slice(end + 1)
  .split("\n")
  .filter((line) => line.startsWith(`— ${name} `))
  .map((line) => Buffer.from(line.split(" ")[2], "base64"))
  .filter((raw) => raw.subarray(0, 4).equals(id))
  .map((raw) => raw.subarray(4));

const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), publicKey]);
const opensslKey = createPublicKey({ key: spki, format: "der", type: "spki" });
told({
  matches: signatures.length,
  noble: await Promise.all(signatures.map((signature) => verifyAsync(signature, message, publicKey))),
  node: signatures.map((signature) => verify(null, message, opensslKey, signature)),
});

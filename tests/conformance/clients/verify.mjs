// A verifier of a ledger's receipts, answers, logs and registry, written from gateway/ledger/FORMAT.md alone.
// Standard input: {"checks": [...]}, standard output: one result a check, {"ok": true, ...} or {"ok": false, "why"}. Checks:
//   {"check": "receipt", keys, file}, or with registry      a receipt, or a whole answer with its data
//   {"check": "registry", keys, file}                       the registry document; keys: of the root shard
//   {"check": "log", keys, folder, earlier, receipts, now}  a log folder, or with registry; the last three may be absent
//   {"check": "witness", keys, requests}                    what a witness is asked, in order, with its .response beside it
// Keys, registry and what is checked are paths.

import { createHash, createPublicKey, verify } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";

class Refused extends Error {}
const need = (holds, why) => { if (!holds) throw new Refused(why); };

// --- bytes and text

const H = (...parts) => createHash("sha256").update(Buffer.concat(parts.map((part) => Buffer.from(part)))).digest();
const u16 = (n) => Buffer.from([n >> 8, n & 255]);
const same = (a, b) => Buffer.compare(a, b) === 0;
const string = (value, what) => { need(typeof value === "string", `${what} is no text`); return value; };

function base64(text, length) {
  const bytes = Buffer.from(string(text, "base64"), "base64");
  need(bytes.toString("base64") === text, "base64 is not canonical");
  need(length === undefined || bytes.length === length, `base64 is not of ${length} bytes`);
  return bytes;
}

function decimal(text) {
  need(/^(0|[1-9][0-9]{0,19})$/.test(text) && Number.isSafeInteger(Number(text)), "a number is not a plain decimal");
  return Number(text);
}

function utf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused("it is not UTF-8");
  }
}

function json(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refused("it is not JSON");
  }
  need(value !== null && typeof value === "object" && !Array.isArray(value), "it is no JSON object");
  return value;
}

// --- the tree

const leafHash = (leaf) => H([0], leaf);
const nodeHash = (left, right) => H([1], left, right);
const half = (n) => Math.floor(n / 2);
const odd = (n) => n % 2 === 1;

function rootOf(hashes) {
  if (hashes.length < 2) return hashes[0] ?? H("");
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return nodeHash(rootOf(hashes.slice(0, k)), rootOf(hashes.slice(k)));
}

/** Both proofs' way up: what the path makes of `a` (by left siblings alone) and `b`; null where it is too long or short. */
function climb(fn, sn, a, b, path) {
  for (const p of path) {
    if (sn === 0) return null;
    if (odd(fn) || fn === sn) {
      [a, b] = [nodeHash(p, a), nodeHash(p, b)];
      while (!odd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else b = nodeHash(b, p);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 ? [a, b] : null;
}

function included(hash, index, size, path, root) {
  const made = index < size ? climb(index, size - 1, hash, hash, path) : null;
  need(made !== null && same(made[1], root), "it is not in the tree at its index");
}

function consistent(old, oldRoot, size, root, path) {
  need(old <= size, "the old tree is larger");
  if (old === size || old === 0) {
    return need(path.length === 0 && same(oldRoot, old === 0 ? H("") : root), "the trees differ");
  }
  const [first, ...rest] = Number.isInteger(Math.log2(old)) ? [oldRoot, ...path] : path;
  need(first !== undefined, "the proof is empty");
  let [fn, sn] = [old - 1, size - 1];
  while (odd(fn)) [fn, sn] = [half(fn), half(sn)];
  const made = climb(fn, sn, first, first, rest);
  need(made !== null && same(made[0], oldRoot) && same(made[1], root), "the new tree does not begin with the old one");
}

// --- keys, notes and checkpoints

const checkName = (name) => need(name !== "" && !/[+\p{White_Space}\0-\x1f]/u.test(name), "a key has a wrong name");
const keyId = (name, kindAndKey) => H(name, "\n", kindAndKey).subarray(0, 4);
const sameKey = (a, b) => a.line === b.line;

function parseKey(line) {
  const [, name, id, encoded] = /^([^+]*)\+([^+]*)\+(.*)$/s.exec(string(line, "a key")) ?? [];
  need(encoded !== undefined, "a key is not name+id+base64");
  checkName(name);
  const raw = base64(encoded, 33);
  need(raw[0] === 1 || raw[0] === 4, "a key is of an unknown kind");
  need(keyId(name, raw).toString("hex") === id, "a key does not have its id");
  return { line, name, kind: raw[0], id, public: raw.subarray(1) };
}

const readKeys = (path) =>
  utf8(readFileSync(path)).split("\n").filter((line) => line.trim() && !line.startsWith("#")).map((line) => parseKey(line.trim()));

function signed(key, signature, text) {
  let message = Buffer.from(text);
  if (key.kind === 4) {
    if (signature.length !== 72) return false;
    const time = signature.readBigUInt64BE();
    if (time === 0n || time >= 1n << 63n) return false;
    message = Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
    signature = signature.subarray(8);
  }
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key.public]);
  return verify(null, message, createPublicKey({ key: der, format: "der", type: "spki" }), signature);
}

/** A note's text and which of the trusted keys signed it. */
function openNote(note, keys) {
  need(!/[\0-\x09\x0b-\x1f]/.test(string(note, "a note")), "a note holds control characters");
  const end = note.lastIndexOf("\n\n");
  need(end >= 0, "a note has no signatures");
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2).split("\n");
  need(lines.pop() === "" && lines.length >= 1 && lines.length <= 64, "a note has not 1 to 64 whole signature lines");
  const signers = [];
  for (const line of lines) {
    const [, name, encoded] = /^\u2014 ([^ ]*) (.*)$/.exec(line) ?? [];
    need(encoded !== undefined, "a note has a line that is no signature");
    checkName(name);
    const raw = base64(encoded);
    need(raw.length > 4, "a signature is cut short");
    const key = keys.find((each) => each.name === name && each.id === raw.toString("hex", 0, 4));
    if (key === undefined) continue;
    need(signed(key, raw.subarray(4), text), `the signature of ${name} is wrong`);
    signers.push(key);
  }
  need(signers.length > 0, "no trusted key signed it");
  return { text, signers };
}

/** A checkpoint that its origin's own key signed, and with a registry one that may sign it. */
function openCheckpoint(note, keys, registry) {
  const { text, signers } = openNote(note, keys);
  const [origin, size, root, ...more] = text.slice(0, -1).split("\n");
  need(root !== undefined && origin !== "" && !more.includes(""), "a checkpoint has not its three lines");
  const head = { origin, size: decimal(size), root: base64(root, 32), cosigners: signers.filter((key) => key.kind === 4) };
  const own = signers.filter((key) => key.kind === 1 && key.name === origin);
  need(own.length > 0, `no key of ${origin} itself signed it`);
  if (registry) {
    const shard = registry.shards.get(origin);
    need(shard !== undefined, `${origin} is not in the registry`);
    const until = own.map((key) => shard.keys[shard.keys.findIndex((each) => sameKey(each.key, key)) + 1]?.size ?? Infinity);
    need(origin === registry.root || until.some((end) => head.size <= end), "its key was given up before");
    if (shard.sealed !== null) {
      need(head.size !== shard.sealed.size || same(head.root, shard.sealed.root), "it is another tree than was sealed");
      head.lost = head.size > shard.sealed.size;
    }
  }
  return head;
}

// --- leaves, and what entries say

const KINDS = new Set(("inquiry refusal view review hold erasure-request erasure activation change recall acknowledgement objection"
  + " restoration decision consent opt-out gap shard").split(" "));

/** The leaf of an `extra`; `general` and `subjects` are objects, null for a closed part. */
function openExtra(extra) {
  const read = (bytes) => json(utf8(bytes));
  if (extra[0] === 1) {
    need(extra.length >= 65, "extra is cut short");
    const told = H("dutybound/told/v1\n", extra.subarray(1, 33), extra.subarray(65));
    return checkKind({ leaf: H("dutybound/leaf/v1\n", told, extra.subarray(33, 65)), general: read(extra.subarray(65)), subjects: [] });
  }
  need(extra[0] === 2, "extra is of an unknown version");
  const [digests, parts] = [[], []];
  let at = 33;
  while (at < extra.length) {
    const bytes = extra.subarray(at + 1, at + 33);
    need(extra[at] === 0 || extra[at] === 1, "extra has a part of an unknown kind");
    if (extra[at] === 0) {
      need(at + 33 <= extra.length && parts.length > 0, "extra is cut short, or its general part closed");
      digests.push(bytes);
      parts.push(null);
      at += 33;
    } else {
      need(at + 37 <= extra.length, "extra is cut short");
      const end = at + 37 + extra.readUInt32BE(at + 33);
      need(end <= extra.length, "extra is cut short");
      const body = extra.subarray(at + 37, end);
      digests.push(H(parts.length ? "dutybound/subject/v2\n" : "dutybound/general/v2\n", bytes, body));
      parts.push(body);
      at = end;
    }
  }
  need(parts.length > 0, "extra has no part");
  const leaf = H("dutybound/leaf/v2\n", H("dutybound/told/v2\n", ...digests), extra.subarray(1, 33));
  const [general, ...subjects] = parts.map((body) => body && read(body));
  return checkKind({ leaf, general, subjects });
}

function checkKind(entry) {
  need([1, 2].includes(entry.general.v) && KINDS.has(entry.general.kind), "the entry is of an unknown kind or version");
  return entry;
}

// --- receipts and answers

function openReceipt(text, keys, registry) {
  const gap = text.indexOf("\n\n");
  need(gap >= 0, "a receipt has no checkpoint");
  const [header, extra, index, ...path] = text.slice(0, gap).split("\n");
  need(header === "c2sp.org/tlog-proof@v1", "it does not begin as a receipt");
  need(extra?.startsWith("extra ") && index?.startsWith("index "), "a receipt has not its extra and index");
  need(path.length <= 64, "a path is too long");
  const entry = openExtra(base64(extra.slice(6)));
  const head = openCheckpoint(text.slice(gap + 2), registry ? registry.keys : keys, registry);
  const receipt = { ...entry, ...head, index: decimal(index.slice(6)), closed: entry.subjects.includes(null) };
  included(leafHash(entry.leaf), receipt.index, head.size, path.map((line) => base64(line, 32)), head.root);
  const why = registry?.gaps.get(head.origin);
  need(!head.lost || !why || Date.parse(entry.general.at) <= Date.parse(why.at) + 60_000, "a sealed shard was signed over");
  return receipt;
}

const compact = (text) => text.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, "$1");

/** The text of the object's member `data`, as it stands; undefined where there is none. */
function rawData(text) {
  let [depth, waiting, found] = [0, false];
  let begin, end, name, last;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g)) {
    if (waiting) [begin, waiting] = [index, false];
    if (token === "{" || token === "[") depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    if (depth === 1 && token === ":") [name, waiting] = [JSON.parse(last), true];
    else if (depth === 0 || (depth === 1 && token === ",")) {
      if (name === "data") found = text.slice(begin, end);
      name = undefined;
    }
    [last, end] = [token, index + token.length];
  }
  return found;
}

const sorted = (_, value) => value && typeof value === "object" && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;
const equal = (a, b) => JSON.stringify(a, sorted) === JSON.stringify(b, sorted);

/** Whether the answer's data were compared, and are what was disclosed. */
function checkAnswer({ general, subjects, closed }, answerText) {
  const inquiry = json(answerText).extensions.inquiry;
  const isInquiry = general.kind === "inquiry";
  const cautions = isInquiry ? [general, ...subjects].flatMap((part) => part?.cautions ?? []) : [];
  const entered = { id: general.id, ruleSet: general.rule_set ?? "", obligations: (isInquiry && general.obligations) || [] };
  if (!closed) entered.cautions = cautions;
  for (const [name, value] of Object.entries(entered)) {
    need(!(name in inquiry) || equal(inquiry[name], value), `the answer's ${name} is not what was entered`);
  }
  const left = [...(inquiry.cautions ?? [])];
  for (const each of "cautions" in inquiry ? cautions : []) {
    while (left.length && !equal(left[0], each)) left.shift();
    need(left.shift() !== undefined, "the answer lacks a caution that was entered");
  }
  const data = rawData(answerText);
  if (data === undefined) return false;
  need(isInquiry || (general.kind === "refusal" && data === "null"), "nothing was disclosed, and the answer has data");
  const said = [general, ...subjects].find((part) => part?.data)?.data;
  if (!isInquiry || said === undefined) return false;
  const digest = (text) => H("dutybound/data/v1\n", base64(said.salt, 32), text);
  need([data, compact(data)].some((text) => same(digest(text), base64(said.sha256, 32))), "the data are not what was disclosed");
  return true;
}

function checkReceipt({ keys, registry, file }) {
  const content = utf8(readFileSync(file));
  const answer = content.startsWith("c2sp.org/tlog-proof@v1") ? null : content;
  const text = answer === null ? content : string(json(answer).extensions?.inquiry?.receipt, "extensions.inquiry.receipt");
  const known = registry && readRegistry({ keys, file: registry });
  const receipt = openReceipt(text, readKeys(keys), known);
  const data = answer === null ? false : checkAnswer(receipt, answer);
  const { origin, index, size, leaf, closed, lost = false, general: { kind } } = receipt;
  return { origin, index, size, kind, leaf: leaf.toString("hex"), closed, lost, data };
}

// --- the registry

function applyChange(shards, change, root) {
  const key = parseKey(change.key);
  need(key.kind === 1 && key.name === change.shard, "the registry has a key of another name");
  need(Number.isSafeInteger(change.size) && change.size >= 0, "the registry has a size that is none");
  const shard = shards.get(change.shard);
  if (change.event === "opened") {
    need(shard === undefined, "a shard was opened twice");
    return shards.set(change.shard, { keys: [{ key, size: change.size }], sealed: null });
  }
  need(shard !== undefined && shard.sealed === null, "a shard was changed that is not open");
  const before = shard.keys.at(-1);
  if (change.event === "sealed") {
    shard.sealed = { size: change.size, root: base64(change.root, 32) };
  } else {
    need(change.event === "rotated" && change.size >= before.size, "a key takes over before the one before it did");
    const { text, signers } = openNote(change.handover, [before.key, key]);
    const both = [before.key, key].every((each) => signers.some((signer) => sameKey(signer, each)));
    need(text === `dutybound.handover/v1\n${before.key.line}\n${key.line}\n${change.size}\n` && both, "a key was not handed over");
    shard.keys.push({ key, size: change.size });
  }
}

function readRegistry({ keys, file }) {
  const content = readFileSync(file);
  need(content.length <= 16_777_216, "the registry is too large");
  const document = json(utf8(content));
  need(document.v === 1 && Array.isArray(document.entries), "the registry is of an unknown version");
  const entries = document.entries.map((extra) => openExtra(base64(extra)));
  const shards = new Map();
  for (const { general } of entries) if (general.kind === "shard") applyChange(shards, general);
  const root = string(document.origin, "origin");
  const own = shards.get(root);
  need(own !== undefined, "the registry does not hold its own root shard");
  const ledger = (name) => name.slice(0, name.lastIndexOf("/"));
  const trusted = readKeys(keys).filter((key) => key.kind === 1 && ledger(key.name) === ledger(root) && root === `${ledger(root)}/root`);
  need(own.keys.some(({ key }) => trusted.some((each) => same(each.public, key.public))), "no trusted key is one of the root shard");
  const head = openCheckpoint(document.checkpoint, [own.keys.at(-1).key]);
  need(head.origin === root, "the registry's checkpoint is of another log");
  const hashes = entries.map(({ leaf }) => leafHash(leaf));
  need(head.size === hashes.length && same(head.root, rootOf(hashes)), "the registry's entries are not those that were signed");
  const every = [...shards.values()].flatMap((shard) => shard.keys.map(({ key }) => key));
  const registry = { root, head, shards, keys: every, gaps: new Map() };
  for (const text of document.gaps ?? []) explainGap(registry, string(text, "a gap"));
  return registry;
}

function explainGap(registry, text) {
  const { general: gap } = openReceipt(text, [], registry);
  const shard = registry.shards.get(gap.shard);
  if (gap.kind !== "gap" || !shard?.sealed) return;
  need(gap.size === shard.sealed.size && same(base64(gap.root), shard.sealed.root), "a gap is not where the shard was sealed");
  const head = openCheckpoint(gap.remembered, shard.keys.map(({ key }) => key));
  need(head.origin === gap.shard, "what a gap remembers is of another log");
  registry.gaps.set(gap.shard, gap);
}

function checkRegistry(asked) {
  const { root, head, shards, gaps } = readRegistry(asked);
  const listed = [...shards].map(([origin, { keys, sealed }]) => [origin, { keys: keys.length, sealed: sealed?.size ?? null }]);
  return { root, size: head.size, shards: Object.fromEntries(listed), gaps: [...gaps.keys()] };
}

// --- a log's folder

const tileNumber = (n) => (n < 1000 ? "" : tileNumber(half(n / 500)).replace(/(^|\/)(?=[0-9]+$)/, "$1x") + "/") + `${n % 1000}`.padStart(3, "0");

/** The first `width` rows of a tile or bundle, each of `size` bytes. */
function tile(folder, kind, number, width, size) {
  const full = `${folder}/tile/${kind}/${tileNumber(number)}`;
  const path = width < 256 && existsSync(`${full}.p/${width}`) ? `${full}.p/${width}` : full;
  need(existsSync(path), `${path} is missing`);
  const bytes = readFileSync(path);
  need(bytes.length === width * size || (path === full && bytes.length === 256 * size), `${path} has another length`);
  return Array.from({ length: width }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

function rows(folder, kind, count, size) {
  const tiles = Array.from({ length: Math.ceil(count / 256) }, (_, n) => tile(folder, kind, n, Math.min(256, count - n * 256), size));
  return tiles.flat();
}

function checkLog({ keys, registry: document, folder, earlier = [], receipts = [], now }) {
  const given = readKeys(keys);
  const registry = document && readRegistry({ keys, file: document });
  const last = registry && [...registry.shards.values()].map((shard) => shard.keys.at(-1).key);
  const head = openCheckpoint(utf8(readFileSync(`${folder}/checkpoint`)), last ?? given, registry);
  need(!head.lost, "a sealed shard was signed over");
  const leaves = rows(folder, "entries", head.size, 34).map((row) => {
    need(same(row.subarray(0, 2), u16(32)), "an entry is not 32 bytes");
    return row.subarray(2);
  });
  const hashes = leaves.map(leafHash);
  for (let [level, made] = [0, hashes]; made.length > 0; level += 1) {
    rows(folder, level, made.length, 32).forEach((hash, at) => need(same(hash, made[at]), `hash ${at} of level ${level} is wrong`));
    made = Array.from({ length: Math.floor(made.length / 256) }, (_, n) => rootOf(made.slice(n * 256, (n + 1) * 256)));
  }
  need(same(rootOf(hashes), head.root), "the entries are not those that the checkpoint signs");
  const begins = (size, root) => need(size <= hashes.length && same(rootOf(hashes.slice(0, size)), root), "it was forked, or cut short");
  if (registry?.root === head.origin) begins(registry.head.size, registry.head.root);
  for (const path of earlier) {
    const seen = openCheckpoint(utf8(readFileSync(path)), registry?.keys ?? given, registry);
    need(seen.origin === head.origin, "an earlier checkpoint is of another log");
    begins(seen.size, seen.root);
  }
  const told = { published: 0, pending: 0, lost: 0 };
  for (const path of receipts) {
    const each = openReceipt(utf8(readFileSync(path)), given, registry);
    need(each.origin === head.origin, "a receipt is of another log");
    need(each.index >= hashes.length || same(each.leaf, leaves[each.index]), "the entry of a receipt is another one");
    if (each.lost) told.lost += 1;
    else if (each.size > hashes.length) {
      need(Date.parse(each.general.at) + 60_000 >= (now ? Date.parse(now) : Date.now()), "the entry of a receipt was withheld");
      told.pending += 1;
    } else {
      begins(each.size, each.root);
      told.published += 1;
    }
  }
  return { origin: head.origin, size: head.size, ...told };
}

// --- witnesses

function checkWitness({ keys, requests }) {
  const trusted = keys.flatMap(readKeys);
  let seen = { size: 0, root: H("") };
  for (const path of requests) {
    const content = utf8(readFileSync(path));
    const gap = content.indexOf("\n\n");
    const [old, ...proof] = content.slice(0, gap).split("\n");
    const response = path.replace(/\.request$/, ".response");
    const note = content.slice(gap + 2) + (response === path ? "" : utf8(readFileSync(response)));
    const head = openCheckpoint(note, trusted);
    need(gap >= 0 && proof.length <= 63 && old === `old ${seen.size}`, "it does not follow the tree that was seen before");
    consistent(seen.size, seen.root, head.size, head.root, proof.map((line) => base64(line, 32)));
    need(response === path || head.cosigners.length > 0, "no witness cosigned it");
    seen = head;
  }
  return { size: seen.size };
}

// --- one result a check

const CHECKS = { receipt: checkReceipt, registry: checkRegistry, log: checkLog, witness: checkWitness };

const { checks } = JSON.parse(readFileSync(0, "utf8"));
const results = checks.map((asked) => {
  try {
    return { ok: true, ...CHECKS[asked.check](asked) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ok: false, why: error.message };
  }
});
process.stdout.write(JSON.stringify(results) + "\n");

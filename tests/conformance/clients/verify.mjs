// A verifier of a ledger's receipts, answers, logs and registry, written from gateway/ledger/FORMAT.md alone.
// Standard input: {"checks": [...]}; standard output: for each, {"ok": true, ...} or {"ok": false, "why"}. A check is one of
//   {check: "receipt", keys, registry, file}                    a receipt, or an answer with its data
//   {check: "registry", keys, file}                             the registry, by a key of its root shard
//   {check: "log", keys, registry, folder, earlier, receipts}   a log's folder, checkpoints of before, receipts
//   {check: "checkpoint", keys, file}                           a checkpoint, with who cosigned it
// where keys, registry, file and folder are paths, the next two are lists of paths; registry and these may be left out.

import { createHash, createPublicKey, verify } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";

class Refused extends Error {}
const need = (holds, why) => { if (!holds) throw new Refused(why); };
const attempt = (make, why) => { try { return make(); } catch { throw new Refused(why); } };
const H = (...parts) => createHash("sha256").update(Buffer.concat(parts.map((part) => Buffer.from(part)))).digest();
const same = (a, b) => Buffer.compare(a, b) === 0;
const utf8 = (bytes) => attempt(() => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), "it is not UTF-8");
const json = (text) => Object(attempt(() => JSON.parse(text), "it is not JSON"));
const string = (value) => { need(typeof value === "string", "a text is missing"); return value; };
const decimal = (text) => {
  need(/^(0|[1-9][0-9]{0,19})$/.test(text) && Number.isSafeInteger(+text), "a number is not a plain decimal");
  return +text;
};
const base64 = (text, length) => {
  const bytes = Buffer.from(string(text), "base64");
  need(bytes.toString("base64") === text && bytes.length === (length ?? bytes.length), "base64 is not canonical, or of another length");
  return bytes;
};

// The tree
const leafHash = (leaf) => H([0], leaf);
const nodeHash = (left, right) => H([1], left, right);
function rootOf(hashes) {
  if (hashes.length < 2) return hashes[0] ?? H("");
  const k = 2 ** Math.floor(Math.log2(hashes.length - 1));
  return nodeHash(rootOf(hashes.slice(0, k)), rootOf(hashes.slice(k)));
}

function included(hash, index, size, path, root) {
  need(index < size, "its index is outside of the tree");
  let [fn, sn, r] = [index, size - 1, hash];
  const up = () => { [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)]; };
  for (const p of path) {
    need(sn !== 0, "its path is too long");
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(p, r);
      while (fn % 2 === 0 && fn !== 0) up();
    } else r = nodeHash(r, p);
    up();
  }
  need(sn === 0 && same(r, root), "what it says is not in the tree at its index");
}

// Keys, notes and checkpoints
function parseKey(line) {
  const [, name, id, encoded] = /^([^+\p{White_Space}\0-\x1f]+)\+([^+]*)\+(.*)$/u.exec(string(line)) ?? [];
  const raw = base64(encoded, 33);
  need([1, 4].includes(raw[0]) && H(name, "\n", raw).toString("hex", 0, 4) === id, "a key is of an unknown kind, or has not its id");
  return { line, name, kind: raw[0], id, public: raw.subarray(1) };
}

const readKeys = (path) => utf8(readFileSync(path)).split("\n").filter((line) => line && !line.startsWith("#")).map(parseKey);

function isSigned(key, signature, text) {
  const cosigns = key.kind === 4;
  const time = cosigns && signature.length === 72 ? signature.readBigUInt64BE() : 0n;
  if (cosigns && (time === 0n || time >= 1n << 63n)) return false;
  const message = Buffer.from(cosigns ? `cosignature/v1\ntime ${time}\n${text}` : text);
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key.public]);
  return verify(null, message, createPublicKey({ key: der, format: "der", type: "spki" }), signature.subarray(cosigns ? 8 : 0));
}

function openNote(note, keys) {
  need(!/[\0-\x09\x0b-\x1f]/.test(string(note)), "a note holds control characters");
  const end = note.lastIndexOf("\n\n");
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2).split("\n");
  need(end >= 0 && lines.pop() === "" && lines.length >= 1 && lines.length <= 64, "a note has not 1 to 64 whole signature lines");
  const signers = [];
  for (const line of lines) {
    const [, name, encoded] = /^\u2014 ([^+\p{White_Space}\0-\x1f]+) (.*)$/u.exec(line) ?? [];
    const raw = base64(encoded);
    need(raw.length > 4, "a signature is cut short");
    const key = keys.find((each) => each.name === name && each.id === raw.toString("hex", 0, 4));
    need(key === undefined || isSigned(key, raw.subarray(4), text), `the signature of ${name} is wrong`);
    if (key !== undefined) signers.push(key);
  }
  need(signers.length > 0, "no trusted key signed it");
  return { text, signers };
}

/** A checkpoint that its own log signed, with a registry by a key that may; `lost` where it is larger than what was sealed. */
function openCheckpoint(note, keys, registry) {
  const { text, signers } = openNote(note, keys);
  const [origin, size, root, ...more] = text.slice(0, -1).split("\n");
  need(root !== undefined && origin !== "" && !more.includes(""), "a checkpoint has not its three lines");
  const own = signers.find((key) => key.kind === 1 && key.name === origin);
  const witnesses = signers.filter((key) => key.kind === 4).map((key) => key.name);
  need(own !== undefined, `no key of ${origin} itself signed it`);
  const head = { origin, size: decimal(size), root: base64(root, 32), witnesses, lost: false };
  if (!registry) return head;
  const { keys: listed, sealed } = registry.shards.get(origin);
  const until = listed[listed.findIndex(({ key }) => key.line === own.line) + 1]?.size ?? Infinity;
  need(origin === registry.root || head.size <= until, "the key that signed it was given up before");
  need(head.size !== sealed?.size || same(head.root, sealed.root), "it is another tree than the one that was sealed");
  return { ...head, lost: head.size > (sealed?.size ?? Infinity) };
}

// Leaves, and what entries say
const KINDS = "inquiry refusal view review hold erasure-request erasure act gap shard not-released".split(" ");

/** What an `extra` opens: the leaf, the general part, and the subjects' parts, with null for a closed one. */
function openExtra(extra) {
  let at = 1;
  const take = (length) => { need(at + length <= extra.length, "extra is cut short"); return extra.subarray(at, (at += length)); };
  const opened = (leaf, bodies) => {
    const [general, ...subjects] = bodies.map((body) => body && json(utf8(body)));
    const whole = ["kind", "id", "at"].every((name) => typeof general[name] === "string") && Object(general.requester).client;
    need([1, 2].includes(general.v) && whole, "the entry is of an unknown version, or not whole");
    return { leaf, general, subjects };
  };
  need(extra[0] === 1 || extra[0] === 2, "extra is of an unknown version");
  if (extra[0] === 1) {
    const [salt, oversight, body] = [take(32), take(32), extra.subarray(65)];
    return opened(H("dutybound/leaf/v1\n", H("dutybound/told/v1\n", salt, body), oversight), [body]);
  }
  const [oversight, digests, bodies] = [take(32), [], []];
  while (at < extra.length || bodies.length === 0) {
    const [kind] = take(1);
    need(kind === 1 || (kind === 0 && bodies.length > 0), "extra has a part of an unknown kind, or its general part is closed");
    const [saltOrDigest, body] = [take(32), kind === 1 ? take(take(4).readUInt32BE()) : null];
    const prefix = bodies.length ? "dutybound/subject/v2\n" : "dutybound/general/v2\n";
    digests.push(body ? H(prefix, saltOrDigest, body) : saltOrDigest);
    bodies.push(body);
  }
  return opened(H("dutybound/leaf/v2\n", H("dutybound/told/v2\n", ...digests), oversight), bodies);
}

// Receipts and answers
const HEADER = "c2sp.org/tlog-proof@v1";
function openReceipt(text, keys, registry) {
  const gap = text.indexOf("\n\n");
  need(gap >= 0, "a receipt has no checkpoint");
  const [header, extra, index, ...path] = text.slice(0, gap).split("\n");
  need(header === HEADER && extra?.startsWith("extra ") && index?.startsWith("index "), "a receipt has not its three lines");
  const [entry, head] = [openExtra(base64(extra.slice(6))), openCheckpoint(text.slice(gap + 2), registry?.keys ?? keys, registry)];
  const receipt = { ...entry, ...head, index: decimal(index.slice(6)) };
  included(leafHash(entry.leaf), receipt.index, receipt.size, path.map((line) => base64(line, 32)), receipt.root);
  const why = receipt.lost && registry.gaps.get(receipt.origin);
  need(!why || Date.parse(entry.general.at) <= Date.parse(why.at) + 60_000, "a sealed shard was signed over");
  return { ...receipt, closed: entry.subjects.includes(null) };
}

/** The text of an object's member `data`, as it stands; undefined where there is none. */
function rawData(text) {
  let [depth, waiting, begin, end, name, last, found] = [0, false];
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g)) {
    if (waiting) [begin, waiting] = [index, false];
    depth += { "{": 1, "[": 1, "}": -1, "]": -1 }[token] ?? 0;
    if (depth === 1 && token === ":") [name, waiting] = [JSON.parse(last), true];
    if (depth === 0 || (depth === 1 && token === ",")) found = name === "data" ? text.slice(begin, end) : found;
    [last, end] = [token, index + token.length];
  }
  return found;
}

const sorted = (_, value) => (value && typeof value === "object" && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value);
const equal = (a, b) => JSON.stringify(a, sorted) === JSON.stringify(b, sorted);

/** Whether an answer's data were compared; refused where they, or what stands beside them, are not what was entered. */
function checkAnswer({ general, subjects, closed }, answer) {
  need(KINDS.includes(general.kind), "the entry is of an unknown kind, so no answer can be compared with it");
  const said = json(answer).extensions.inquiry;
  const [told, parts] = general.kind === "inquiry" ? [general, [general, ...subjects]] : [{}, []];
  const cautions = parts.flatMap((part) => part?.cautions ?? []);
  const left = closed && Array.isArray(said.cautions) ? [...said.cautions] : [];
  const within = closed && cautions.every((each) => { while (left.length && !equal(left[0], each)) left.shift(); return left.shift(); });
  const entered = { id: general.id, ruleSet: general.rule_set ?? "", obligations: told.obligations ?? [], cautions };
  Object.entries(entered).forEach(([name, value]) => need(!(name in said) || equal(said[name], value)
    || (name === "cautions" && within), `the answer's ${name} is not what was entered`));
  const data = rawData(answer);
  need(told.kind || data === undefined || (general.kind === "refusal" && data === "null"), "nothing was disclosed, and it has data");
  const digest = parts.find((part) => part?.data)?.data;
  if (data === undefined || !digest) return false;
  const compact = data.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, "$1");
  const holds = (text) => same(H("dutybound/data/v1\n", base64(digest.salt, 32), text), base64(digest.sha256, 32));
  need(holds(data) || holds(compact), "the data are not what was disclosed");
  return true;
}

function checkReceipt({ keys, registry, file }) {
  const content = utf8(readFileSync(file)), isReceipt = content.startsWith(HEADER);
  const text = isReceipt ? content : string(json(content).extensions?.inquiry?.receipt);
  const receipt = openReceipt(text, readKeys(keys), registry && readRegistry({ keys, file: registry }));
  const { origin, index, size, general: { kind }, closed, lost } = receipt;
  return { origin, index, size, kind, leaf: receipt.leaf.toString("hex"), closed, lost, data: !isReceipt && checkAnswer(receipt, content) };
}

// The registry
function applyChange(shards, change) {
  const [key, shard, { size }] = [parseKey(change.key), shards.get(change.shard), change];
  need(key.kind === 1 && key.name === change.shard, "the registry has a key of another name");
  need(change.kind === "shard" && /^(opened|rotated|sealed)$/.test(change.event) && Number.isSafeInteger(size), "a change is unknown");
  need(change.event === "opened" ? !shard : shard && !shard.sealed, "a shard was opened twice, or changed while it was not open");
  if (change.event === "opened") shards.set(change.shard, { keys: [{ key, size }] });
  if (change.event === "sealed") shard.sealed = { size, root: base64(change.root, 32) };
  if (change.event !== "rotated") return;
  const before = shard.keys.at(-1);
  const { text, signers } = openNote(change.handover, [before.key, key]);
  need(size >= before.size && text === `dutybound.handover/v1\n${before.key.line}\n${key.line}\n${size}\n`, "a key was not handed over");
  need([before.key, key].every((each) => signers.some((signer) => signer.line === each.line)), "a handover lacks a signature");
  shard.keys.push({ key, size });
}

function readRegistry({ keys, file }) {
  const content = readFileSync(file);
  const { v, origin, checkpoint, entries, gaps = [] } = json(utf8(content));
  need(content.length <= 16_777_216 && v === 1 && Array.isArray(entries) && Array.isArray(gaps), "the registry is of an unknown version");
  const [opened, shards] = [entries.map((extra) => openExtra(base64(extra))), new Map()];
  for (const { general } of opened) if (general.kind === "shard" || !KINDS.includes(general.kind)) applyChange(shards, general);
  const own = shards.get(origin)?.keys;
  need(own !== undefined, "the registry does not hold its own root shard");
  const trusted = readKeys(keys).filter(({ kind, name }) => kind === 1 && name.replace(/[^/]*$/, "root") === origin);
  need(own.some(({ key }) => trusted.some((each) => same(each.public, key.public))), "no trusted key is one of the root shard");
  const head = openCheckpoint(checkpoint, [own.at(-1).key]);
  const made = rootOf(opened.map(({ leaf }) => leafHash(leaf)));
  need(head.origin === origin && head.size === opened.length && same(head.root, made), "the registry's entries are not those signed");
  const registry = { root: origin, head, shards, gaps: new Map() };
  registry.keys = [...shards.values()].flatMap((shard) => shard.keys.map(({ key }) => key));
  for (const gap of gaps.map((text) => openReceipt(string(text), [], registry).general)) {
    const { keys: listed, sealed } = shards.get(gap.shard) ?? {};
    if (gap.kind !== "gap" || !sealed) continue;
    need(gap.size === sealed.size && same(base64(gap.root), sealed.root), "a gap is not where the shard was sealed");
    const missing = openCheckpoint(gap.remembered, listed.map(({ key }) => key));
    need(missing.origin === gap.shard, "what a gap remembers is of another log");
    registry.gaps.set(gap.shard, gap);
  }
  return registry;
}

function checkRegistry(asked) {
  const { root, head, shards, gaps } = readRegistry(asked);
  const listed = [...shards].map(([origin, { keys, sealed }]) => [origin, { keys: keys.length, sealed: sealed?.size ?? null }]);
  return { root, size: head.size, shards: Object.fromEntries(listed), gaps: [...gaps.keys()] };
}

// A log's folder
const tileNumber = (n) => `${n}`.padStart(Math.ceil(`${n}`.length / 3) * 3, "0").replace(/...(?=.)/g, "x$&/");

/** The first `count` rows of all tiles of a kind, each row of `size` bytes. */
function rows(folder, kind, count, size) {
  const found = [];
  for (let first = 0; first < count; first += 256) {
    const width = Math.min(256, count - first);
    const full = `${folder}/tile/${kind}/${tileNumber(first / 256)}`;
    const path = width < 256 && existsSync(`${full}.p/${width}`) ? `${full}.p/${width}` : full;
    const bytes = attempt(() => readFileSync(path), `${path} is missing`);
    need(bytes.length === (path === full ? 256 : width) * size, `${path} has another length`);
    for (let at = 0; at < width; at += 1) found.push(bytes.subarray(at * size, (at + 1) * size));
  }
  return found;
}

function checkLog({ keys, registry: document, folder, earlier = [], receipts = [] }) {
  const registry = document && readRegistry({ keys, file: document });
  const trusted = registry?.keys ?? readKeys(keys);
  const last = registry ? [...registry.shards.values()].map((shard) => shard.keys.at(-1).key) : trusted;
  const head = openCheckpoint(utf8(readFileSync(`${folder}/checkpoint`)), last, registry);
  need(!head.lost, "a sealed shard was signed over");
  const entries = rows(folder, "entries", head.size, 34);
  need(entries.every((row) => row.readUInt16BE() === 32), "an entry is not 32 bytes");
  const hashes = entries.map((row) => leafHash(row.subarray(2)));
  for (let level = 0, made = hashes; made.length > 0; level += 1) {
    rows(folder, level, made.length, 32).forEach((hash, at) => need(same(hash, made[at]), `hash ${at} of level ${level} is wrong`));
    made = made.filter((_, at) => at % 256 === 255).map((_, n) => rootOf(made.slice(n * 256, (n + 1) * 256)));
  }
  const begins = ({ origin, size, root }) => need(origin === head.origin && size <= head.size && same(rootOf(hashes.slice(0, size)), root),
    "its entries do not give a tree that was signed: it was altered, forked or cut short");
  begins(head);
  if (registry?.root === head.origin) begins(registry.head);
  for (const path of earlier) begins(openCheckpoint(utf8(readFileSync(path)), trusted, registry));
  for (const path of receipts) {
    const receipt = openReceipt(utf8(readFileSync(path)), trusted, registry);
    need(receipt.index >= head.size || same(leafHash(receipt.leaf), hashes[receipt.index]), "the entry of a receipt is another one");
    if (!receipt.lost) begins(receipt);
  }
  return { origin: head.origin, size: head.size };
}

const checkCheckpoint = ({ keys, file }) => openCheckpoint(utf8(readFileSync(file)), readKeys(keys));
const CHECKS = { receipt: checkReceipt, registry: checkRegistry, log: checkLog, checkpoint: checkCheckpoint };
const answered = (asked) => {
  try { return { ok: true, ...CHECKS[asked.check](asked) }; } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ok: false, why: error.message };
  }
};
process.stdout.write(`${JSON.stringify(json(readFileSync(0)).checks.map(answered))}\n`);

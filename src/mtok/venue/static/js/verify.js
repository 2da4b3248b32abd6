/**
 * Checks one published value in the reader's browser, against a public key that the reader chooses.
 *
 * `verify` is pure: bytes in, steps out; it fetches nothing and believes nothing but the key. The formats are those of
 * docs/formats.md: the record and the log's entries are canonical JSON, the entry stands in a bundle of a tlog-tiles
 * log, the proof is a tlog-proof, its checkpoint a signed note with Ed25519 signatures. Whatever is not as that page
 * says fails its step. The form on the page of a value is served by verify_form.js.
 *
 * The order: text forms · keys and notes · the tree · the record · the steps.
 */

class Refused extends Error {}

function need(condition, text) {
  if (!condition) throw new Refused(text);
}

// ---- text forms

const utf8 = new TextEncoder();
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const same = (a, b) => hex(a) === hex(b);
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(parts)));

function joined(parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

function text(bytes, what) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused(`${what} is not UTF-8`);
  }
}

function fromBase64(line, what) {
  try {
    const raw = atob(line);
    need(btoa(raw) === line, "");
    return Uint8Array.from(raw, (character) => character.charCodeAt(0));
  } catch {
    throw new Refused(`${what} is no base64: ${line.slice(0, 60)}`);
  }
}

function canonical(value) {
  if (typeof value === "string" || typeof value === "boolean") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  need(typeof value === "object" && value !== null, "JSON with a number or null; every number is a string");
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

function readJson(bytes, what) {
  let value;
  try {
    value = JSON.parse(text(bytes, what));
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(`${what} is no JSON`);
  }
  need(canonical(value) === text(bytes, what), `${what} is not canonical JSON, so its bytes have a second meaning`);
  need(typeof value === "object" && !Array.isArray(value), `${what} is no JSON object`);
  return value;
}

// ---- keys and signed notes (c2sp.org/signed-note)

async function parseKey(line) {
  const [, name, hint, data] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(line) ?? [];
  need(name, "not a public key: one line, name+8 hexadecimal digits+base64");
  const raw = fromBase64(data, "the key");
  need(raw.length === 33 && raw[0] === 1, "not an Ed25519 key (0x01 and 32 bytes)");
  const digest = await sha256(utf8.encode(`${name}\n`), raw);
  need(hex(digest.slice(0, 4)) === hint, `the key does not have the id ${hint}: a character was changed`);
  return { line, name, hint, raw: raw.slice(1) };
}

async function signed(key, signature, message) {
  const imported = await crypto.subtle.importKey("raw", key.raw, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, utf8.encode(message));
}

function splitNote(note) {
  const at = note.lastIndexOf("\n\n");
  need(at >= 0 && note.endsWith("\n"), "the checkpoint is no signed note");
  const signatures = note.slice(at + 2, -1).split("\n").map((line) => {
    const [, name, data] = /^\u2014 ([^\s+]+) (\S+)$/.exec(line) ?? [];
    need(name, `no signature line: ${line.slice(0, 60)}`);
    const raw = fromBase64(data, "a signature");
    return { name, hint: hex(raw.slice(0, 4)), signature: raw.slice(4) };
  });
  return { message: note.slice(0, at + 1), signatures };
}

/** Return the key given and those that the log's rotations tie to it, each by both signatures. */
async function trusted(key, rotations) {
  const keys = [key];
  for (let before = 0; before < keys.length; ) {
    before = keys.length;
    for (const one of rotations) {
      const pair = [await parseKey(one.old_key), await parseKey(one.new_key)];
      const known = pair.map((other) => keys.some((mine) => mine.line === other.line));
      if (known[0] === known[1]) continue;
      const said = `mtok key rotation\n${pair[0].name}\n${one.old_key}\n${one.new_key}\n`;
      const by = [fromBase64(one.old_signature, "a signature"), fromBase64(one.new_signature, "a signature")];
      if ((await signed(pair[0], by[0], said)) && (await signed(pair[1], by[1], said))) {
        keys.push(known[0] ? pair[1] : pair[0]);
      }
    }
  }
  return keys;
}

// ---- the tree (RFC 6962) and proofs (c2sp.org/tlog-proof)

const COUNT = /^(0|[1-9][0-9]{0,14})$/;

export function parseProof(bytes) {
  const whole = text(bytes, "the proof");
  const at = whole.indexOf("\n\n");
  need(at > 0, "the proof has no blank line before its checkpoint");
  const [version, ...lines] = whole.slice(0, at).split("\n");
  need(version === "c2sp.org/tlog-proof@v1", `not a proof of version 1: ${version.slice(0, 60)}`);
  if (lines[0]?.startsWith("extra ")) lines.shift();
  const index = (lines.shift() ?? "").replace(/^index /, "");
  need(COUNT.test(index), "the proof does not say which entry it is of");
  const hashes = lines.map((line) => fromBase64(line, "a hash"));
  need(hashes.every((one) => one.length === 32), "a hash of the proof does not have 32 bytes");
  const { message, signatures } = splitNote(whole.slice(at + 2));
  const [origin, size, root, ...rest] = message.split("\n");
  need(COUNT.test(size ?? "") && rest.length === 1, "a checkpoint has three lines: origin, size, root");
  return { index: +index, hashes, message, signatures, origin, size: +size, root: fromBase64(root, "the root") };
}

/** Return the path of the bundle that holds an entry, as it was when the log had `size` entries. */
export function bundlePath(index, size) {
  const number = Math.floor(index / 256);
  const width = Math.min(256, size - number * 256);
  const groups = String(number).padStart(Math.ceil(String(number).length / 3) * 3, "0").match(/.{3}/g);
  const path = groups.map((group, place) => (place < groups.length - 1 ? `x${group}` : group)).join("/");
  return `/log/tile/entries/${path}${width < 256 ? `.p/${width}` : ""}`;
}

function entryOf(bundle, index) {
  let [at, count, found] = [0, 0, undefined];
  while (at < bundle.length) {
    const end = at + 2 + bundle[at] * 256 + bundle[at + 1];
    need(end <= bundle.length, `the bundle ends within entry ${count}`);
    if (count === index % 256) found = bundle.slice(at + 2, end);
    [at, count] = [end, count + 1];
  }
  need(found, `the bundle has ${count} entries, none of them is entry ${index}`);
  return found;
}

async function rootBy(leaf, { index, size, hashes }) {
  need(index < size, `entry ${index} cannot be in a log of ${size} entries`);
  let [place, last, found] = [index, size - 1, leaf];
  const up = () => ([place, last] = [Math.floor(place / 2), Math.floor(last / 2)]);
  for (const one of hashes) {
    need(last > 0, "the proof has too many hashes");
    const right = place % 2 === 1 || place === last;
    found = await sha256([1], right ? one : found, right ? found : one);
    while (right && place % 2 === 0 && place > 0) up();
    up();
  }
  need(last === 0, "the proof has too few hashes");
  return found;
}

// ---- the record (docs/records.md)

function whole(value, what) {
  need(COUNT.test(value) || /^[1-9][0-9]{0,60}$/.test(value), `${what} is no whole number`);
  return BigInt(value);
}

/** Return numerator ÷ denominator with six decimals, half-even. */
export function sixDecimals(numerator, denominator) {
  const scaled = numerator * 1_000_000n;
  let [quotient, twice] = [scaled / denominator, (scaled % denominator) * 2n];
  if (twice > denominator || (twice === denominator && quotient % 2n === 1n)) quotient += 1n;
  const digits = String(quotient).padStart(7, "0");
  return `${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

function computed(record) {
  let [n, w] = [0n, 0n];
  for (const row of record.constituents) {
    const tokens = whole(row.tokens, `tokens of ${row.constituent}`);
    n += tokens * whole(row.price_seconds, `price_seconds of ${row.constituent}`);
    w += tokens;
  }
  need(record.w === String(w), `W of the record is ${record.w}; its rows sum to ${w}`);
  if (record.quality === "withheld") {
    need(!("value" in record), "a withheld record with a value");
    return `withheld: no value was printed; the rows hold ${w} tokens`;
  }
  need(w > 0n, "no constituent has tokens");
  const value = sixDecimals(n, w * 86_400n * 10n ** 12n);
  need(record.n === String(n), `N of the record is ${record.n}; its rows give ${n}`);
  need(record.value === value, `the record says ${record.value}; its rows give ${value}`);
  return `Σ tokens × price ÷ tokens over ${record.constituents.length} models = ${value}`;
}

// ---- the steps

const PRINTED = ["series", "date", "vintage", "value"];

/** Each: its name, what it says, what earlier steps must have found, what it does with all that is known. */
const STEPS = [
  ["key", "The public key is well formed", [], async (known) => {
    known.key = await parseKey(known.vkey.trim());
    return `${known.key.name}, id ${known.key.hint}`;
  }],
  ["proof", "The proof file says which entry it is of", [], async (known) => {
    known.proven = parseProof(known.proof);
    const { index, size, hashes } = known.proven;
    const printed = known.expected.index;
    need(printed === String(index), `the proof is of entry ${index}; this page says entry ${printed}`);
    return `entry ${index} in a log of ${size}, by ${hashes.length} hashes`;
  }],
  ["signature", "The head of the log is signed by that key", ["key", "proven"], async ({ key, proven, rotations }) => {
    need(proven.origin === key.name, `the checkpoint is of ${proven.origin}; the key is of ${key.name}`);
    const keys = await trusted(key, rotations ?? []);
    const by = ({ name, hint }) => keys.find((one) => one.name === name && one.hint === hint);
    const mine = proven.signatures.filter(by);
    const ids = proven.signatures.map((one) => one.hint).join(", ");
    need(mine.length, `signed with the key ${ids}, and no rotation in the log ties it to ${key.hint}, the one given`);
    for (const one of mine) {
      const good = await signed(by(one), one.signature, proven.message);
      need(good, `the signature of key ${one.hint} does not verify: text, signature or key was changed`);
    }
    if (mine.some((one) => one.hint === key.hint)) return `Ed25519, key ${key.hint}`;
    return `Ed25519, key ${mine[0].hint}; a rotation in the log, signed by both, ties it to ${key.hint}`;
  }],
  ["entry", "The log has that entry", ["proven"], async (known) => {
    known.leaf = entryOf(known.bundle, known.proven.index);
    known.entry = readJson(known.leaf, "the entry");
    return `entry ${known.proven.index}, ${known.leaf.length} bytes of type ${known.entry.type}`;
  }],
  ["inclusion", "The entry is under the signed root", ["proven", "leaf"], async ({ leaf, proven }) => {
    const root = await rootBy(await sha256([0], leaf), proven);
    need(same(root, proven.root), `entry and proof lead to ${hex(root)}; the signed root is ${hex(proven.root)}`);
    return `root ${hex(root)}`;
  }],
  ["digest", "The record is the one the entry names", ["entry"], async ({ record, entry }) => {
    const digest = hex(await sha256(record));
    const named = entry.record_sha256 ?? "no record";
    need(named === digest, `the record has sha256 ${digest}; the entry names ${named}`);
    return `sha256 ${digest}`;
  }],
  ["statement", "Entry, record and page say the same", ["entry"], async ({ record, entry, expected }) => {
    const said = readJson(record, "the record");
    const { v, type, time, record_sha256, ...fields } = entry;
    need(v === "1" && type === ("value" in said ? "point" : "nodata"), `the entry is of type ${type}, version ${v}`);
    const pairs = [
      ...Object.keys(fields).map((name) => [name, "the entry", fields[name], "the record", said[name]]),
      ...PRINTED.map((name) => [name, "this page", expected[name], "the entry", entry[name] ?? ""]),
      ["instant", "the entry", time, "the record", said.known_at],
    ];
    for (const [name, a, left, b, right] of pairs) {
      const equal = right !== undefined && canonical(left) === canonical(right);
      need(equal, `${name}: ${a} says ${left || "none"}, ${b} ${right || "none"}`);
    }
    return `${said.series}, ${said.date}, vintage ${said.vintage}: ${said.value ?? "no value"}, published ${time}`;
  }],
  ["value", "The value follows from the record's own tokens and prices", [], async ({ record }) =>
    computed(readJson(record, "the record"))],
];

/**
 * Check one value and return {ok, steps: [{name, title, ok, text}]}, ok null where a step was not checked.
 * record, bundle, proof : bytes as published; vkey : the public key, text; rotations : notices of the log that tie
 * other keys to it; expected : series, date, vintage, value ("" for none) and index of the entry as the page prints
 * them; tell : called with each step as it is done
 */
export async function verify(given, tell = () => {}) {
  const [known, steps] = [{ ...given }, []];
  for (const [name, title, needs, check] of STEPS) {
    const step = { name, title, ok: null, text: "not checked: an earlier step failed" };
    if (needs.every((one) => known[one] !== undefined)) {
      try {
        step.text = await check(known);
        step.ok = true;
      } catch (error) {
        step.ok = false;
        step.text = error instanceof Refused ? error.message : `not of the form it should have (${error.name})`;
      }
    }
    steps.push(step);
    tell(step);
  }
  return { ok: steps.every((step) => step.ok), steps };
}

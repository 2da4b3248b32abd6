/**
 * Serves the form "Verify in this browser" on the page of a value: fetches the published files, calls `verify`, and
 * writes its steps one by one.
 */

import { bundlePath, parseProof, verify } from "./verify.js";

const MARKS = new Map([[true, ["✓", "step-ok"]], [false, ["✗", "step-failed"]], [null, ["–", "step-skipped"]]]);
const VERIFIED = "✓ Verified: the holder of this key published exactly what this page says.";

async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} cannot be read: HTTP ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Return why this browser cannot check, "" where it can. */
async function unable() {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
    return "A browser computes signatures only on pages that came over https or from this machine.";
  }
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32).fill(1, 0, 1), { name: "Ed25519" }, false, ["verify"]);
    return "";
  } catch {
    return "This browser has no Ed25519 signatures.";
  }
}

/** Return what `verify` wants to know of the value that a panel stands beside. */
async function gathered({ record, proof, value, entryIndex }) {
  const [, series, date, vintage] = /([^/]+)\/([^/.]+)\.([0-9]+)\.json$/.exec(record);
  const [recordBytes, proofBytes] = await Promise.all([fetched(record), fetched(proof)]);
  const { index, size } = parseProof(proofBytes);
  const bundle = await fetched(bundlePath(index, size));
  const expected = { series, date, vintage, value, index: entryIndex };
  return { record: recordBytes, proof: proofBytes, bundle, expected };
}

function serve(panel, form) {
  const [steps, verdict] = [form.querySelector("ol"), form.querySelector("output")];
  const say = (text) => (verdict.textContent = text);
  const tell = ({ ok, title, text }) => {
    const [mark, name] = MARKS.get(ok);
    const item = document.createElement("li");
    item.className = name;
    item.textContent = `${mark} ${title}: ${text}`;
    steps.append(item);
  };
  const check = async () => {
    steps.replaceChildren();
    say("Checking …");
    const reason = await unable();
    if (reason) return say(`${reason} Nothing was checked. Use the command below.`);
    const files = await gathered(panel.dataset);
    const rotations = JSON.parse(form.dataset.rotations);
    const { ok } = await verify({ ...files, vkey: form.elements.vkey.value, rotations }, tell);
    return say(ok ? VERIFIED : "✗ Not verified. Do not rely on this value before you know why.");
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    check().catch((error) => say(`✗ Not verified: ${error.message}`));
  });
  form.elements.vkey.addEventListener("input", () => {
    steps.replaceChildren();
    say("");
  });
  form.elements.vkey.value = panel.dataset.vkey;
  form.querySelector("button").disabled = false;
}

const panel = document.getElementById("verify");
const form = panel?.querySelector("form.verify");
if (form) serve(panel, form);

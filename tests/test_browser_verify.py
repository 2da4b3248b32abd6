"""The verification in the browser: a true proof is accepted, and each tampered one is refused at the step it offends.

What is signed anew here is signed with the sample's own keys, so that each check stands alone: a forger who holds the
key still cannot pass a sum that does not add up.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from browsing import Visit, chromium, visiting
from mtok.canonical import canonical_bytes
from mtok.notes import PrivateKey, sign_note
from mtok.proofs import Proof, bundle_path, decode_bundle, decode_proof, encode_bundle, encode_proof
from released import FIRST_KEY, ORIGIN, SECOND_KEY

pytestmark = pytest.mark.machine

DATE = "2026-06-20"
STRANGER = PrivateKey(name=ORIGIN, seed=b"stranger" * 4)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What `verify` is given."""

    record: bytes
    bundle: bytes
    proof: bytes
    vkey: str
    rotations: list[dict[str, str]]
    expected: dict[str, str]

    @property
    def parsed(self) -> Proof:
        """The proof file, parsed."""
        return decode_proof(self.proof)

    def proving(self, **changed: Any) -> Given:
        """Return it with another proof file."""
        return replace(self, proof=encode_proof(replace(self.parsed, **changed)))

    def signed(self, size: int, root: bytes, origin: str = ORIGIN, *keys: PrivateKey) -> Given:
        """Return it with another checkpoint, signed with the key of that time."""
        text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        return self.proving(checkpoint=sign_note(text, *(keys or (FIRST_KEY,))))

    def containing(self, entry: bytes) -> Given:
        """Return it as of a log that has this entry instead of the one proven, signed with the key of that time."""
        entries = decode_bundle(self.bundle)
        entries[self.parsed.index % 256] = entry
        changed = replace(self, bundle=encode_bundle(entries))
        return changed.signed(size_of(self), folded(entry, self.parsed, size_of(self)))

    def recording(self, record: bytes) -> Given:
        """Return it as of a log that names this record, signed with the key of that time."""
        entry = json.loads(decode_bundle(self.bundle)[self.parsed.index % 256])
        said = json.loads(record)
        named = {name: said.get(name, entry[name]) for name in entry}
        named["record_sha256"] = sha256(record).hexdigest()
        return replace(self.containing(canonical_bytes(named)), record=record)


def size_of(given: Given) -> int:
    """Return the size of the log that the checkpoint says."""
    return int(given.parsed.checkpoint.split(b"\n")[1])


def folded(entry: bytes, proof: Proof, size: int) -> bytes:
    """Return the root that an entry has by a proof (RFC 6962, 2.1.1, from the leaf upwards)."""

    def root(index: int, count: int, hashes: tuple[bytes, ...]) -> bytes:
        if count == 1:
            return sha256(b"\x00" + entry).digest()
        left = 1 << (count - 1).bit_length() - 1
        if index < left:
            return sha256(b"\x01" + root(index, left, hashes[:-1]) + hashes[-1]).digest()
        return sha256(b"\x01" + hashes[-1] + root(index - left, count - left, hashes[:-1])).digest()

    return root(proof.index, size, proof.hashes)


def read_given(store: Path, series: str, date: str, vintage: int, vkey: str) -> Given:
    """Return what the page of a value gives `verify`, read from the files."""
    publication = store / "publication"
    record = (publication / f"records/{series}/{date}.{vintage}.json").read_bytes()
    proof = (publication / f"proofs/{series}/{date}.{vintage}.tlog-proof").read_bytes()
    index, size = decode_proof(proof).index, int(decode_proof(proof).checkpoint.split(b"\n")[1])
    entries = [json.loads(entry) for path in _bundles(publication) for entry in decode_bundle(path)]
    rotations = [entry for entry in entries if entry.get("kind") == "key_rotation"]
    names = ("old_key", "new_key", "old_signature", "new_signature")
    value = json.loads(record).get("value", "")
    return Given(
        record=record,
        bundle=(
            publication / "log" / bundle_path(index // 256, min(256, size - index // 256 * 256))
        ).read_bytes(),
        proof=proof,
        vkey=vkey,
        rotations=[{name: one[name] for name in names} for one in rotations],
        expected={
            "series": series,
            "date": date,
            "vintage": str(vintage),
            "value": value,
            "index": str(index),
        },
    )


def _bundles(publication: Path) -> list[bytes]:
    size = int((publication / "log" / "checkpoint").read_text().split("\n")[1])
    return [
        (publication / "log" / bundle_path(at // 256, min(256, size - at))).read_bytes()
        for at in range(0, size, 256)
    ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of these tests."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def page(browser: Browser, site: str) -> Iterator[Page]:
    """The page of a value, from where the module is imported."""
    with visiting(browser, site) as visit:
        visit.go(f"/series/openai/{DATE}")
        yield visit.page


@pytest.fixture(scope="module")
def given(published_sample: Path) -> Given:
    """A true value and its proof, of before the log changed its key, with the key of that time."""
    return read_given(published_sample, "openai", DATE, 0, str(FIRST_KEY.public))


def verified(page: Page, given: Given) -> tuple[bool, dict[str, bool | None]]:
    """Return what the module says of it: whether all is well, and of each step."""
    raw = {name: base64.b64encode(getattr(given, name)).decode() for name in ("record", "bundle", "proof")}
    plain = {"vkey": given.vkey, "rotations": given.rotations, "expected": given.expected}
    answer = in_module(
        page,
        """const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
        const files = Object.fromEntries(Object.entries(given.raw).map(([name, text]) => [name, bytes(text)]));
        return module.verify({ ...files, ...given.plain });""",
        {"raw": raw, "plain": plain},
    )
    return answer["ok"], {step["name"]: step["ok"] for step in answer["steps"]}


def in_module(page: Page, body: str, given: object) -> Any:
    """Run a piece of JavaScript that sees verify.js as `module`."""
    script = f"""async (given) => {{
        const form = document.querySelector("script[src*='verify_form.js']").src;
        const module = await import(form.replace("verify_form.js", "verify.js"));
        {body}
    }}"""
    return page.evaluate(script, given)


STEPS = ["key", "proof", "signature", "entry", "inclusion", "digest", "statement", "value"]


@pytest.mark.parametrize(
    ("series", "date", "vintage"),
    [
        ("openai", DATE, 0),
        ("qwen", "2026-06-25", 0),
        ("qwen", "2026-06-25", 1),
        ("anthropic", "2026-06-26", 0),
    ],
    ids=["printed", "withheld", "late", "after the change of key"],
)
@pytest.mark.parametrize("key", [FIRST_KEY, SECOND_KEY], ids=["old key", "new key"])
def test_a_true_value_is_verified(
    page: Page, published_sample: Path, series: str, date: str, vintage: int, key: PrivateKey
) -> None:
    """With either key: the log's rotation, signed by both, leads from one to the other."""
    true = read_given(published_sample, series, date, vintage, str(key.public))
    assert verified(page, true) == (True, dict.fromkeys(STEPS, True))


def _edited(record: bytes, **changed: object) -> bytes:
    return canonical_bytes(json.loads(record) | changed)


def _dearer(record: bytes) -> bytes:
    """Return a record with another price of its first constituent, and nothing else."""
    said = json.loads(record)
    first, *others = said["constituents"]
    dearer = first | {"price_seconds": str(int(first["price_seconds"]) + 86_400 * 10**12)}
    return canonical_bytes(said | {"constituents": [dearer, *others]})


def _flipped(checkpoint: bytes) -> bytes:
    """Return a checkpoint with one bit of its signature changed."""
    head, _, line = checkpoint.rstrip(b"\n").rpartition(b" ")
    raw = bytearray(base64.b64decode(line))
    raw[40] ^= 1
    return head + b" " + base64.b64encode(raw) + b"\n"


def _swapped(hashes: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (hashes[1], hashes[0], *hashes[2:])


def _rotated(given: Given, old: PrivateKey, new: PrivateKey, *signers: PrivateKey) -> Given:
    """Return it with the key `new` and a rotation to it that `signers` signed."""
    text = f"mtok key rotation\n{ORIGIN}\n{old.public}\n{new.public}\n".encode()
    signatures = [base64.b64encode(signer.sign(text)).decode() for signer in signers]
    rotation = dict(
        zip(
            ("old_key", "new_key", "old_signature", "new_signature"),
            [str(old.public), str(new.public), *signatures],
            strict=True,
        )
    )
    return replace(given, vkey=str(new.public), rotations=[rotation])


Tamper = Callable[[Given], Given]
TAMPERED: dict[str, tuple[Tamper, set[str]]] = {
    # the record
    "value changed in the record": (
        lambda one: replace(one, record=_edited(one.record, value="1.000000")),
        {"digest", "statement", "value"},
    ),
    "price changed in the record": (
        lambda one: replace(one, record=_dearer(one.record)),
        {"digest", "value"},
    ),
    "price changed, signed anew": (lambda one: one.recording(_dearer(one.record)), {"value"}),
    "value changed, signed anew": (
        lambda one: replace(
            one.recording(_edited(one.record, value="1.000000")),
            expected=one.expected | {"value": "1.000000"},
        ),
        {"value"},
    ),
    "N changed, signed anew": (lambda one: one.recording(_edited(one.record, n="1")), {"value"}),
    "W changed, signed anew": (lambda one: one.recording(_edited(one.record, w="1")), {"value"}),
    "withheld with a value, signed anew": (
        lambda one: one.recording(_edited(one.record, quality="withheld")),
        {"value"},
    ),
    "record with white space, signed anew": (
        lambda one: one.recording(json.dumps(json.loads(one.record)).encode()),
        {"statement", "value"},
    ),
    # the entry
    "date changed in the entry, signed anew": (
        lambda one: one.containing(_entry(one, date="2026-06-19")),
        {"statement"},
    ),
    "quality changed in the entry, signed anew": (
        lambda one: one.containing(_entry(one, quality="estimated")),
        {"statement"},
    ),
    "time changed in the entry, signed anew": (
        lambda one: one.containing(_entry(one, time="2026-06-21T06:00:00Z")),
        {"statement"},
    ),
    "type changed in the entry, signed anew": (
        lambda one: one.containing(_entry(one, type="nodata")),
        {"statement"},
    ),
    "digest changed in the entry, signed anew": (
        lambda one: one.containing(_entry(one, record_sha256="0" * 64)),
        {"digest"},
    ),
    "entry changed, not signed": (
        lambda one: replace(one.containing(_entry(one, stage="prelim")), proof=one.proof),
        {"inclusion", "statement"},
    ),
    "bundle torn": (lambda one: replace(one, bundle=one.bundle[:-1]), {"entry"}),
    # the proof
    "index of another entry": (
        lambda one: one.proving(index=one.parsed.index + 1),
        {"proof", "inclusion", "digest", "statement"},
    ),
    "two hashes swapped": (lambda one: one.proving(hashes=_swapped(one.parsed.hashes)), {"inclusion"}),
    "one hash short": (lambda one: one.proving(hashes=one.parsed.hashes[:-1]), {"inclusion"}),
    "one hash too many": (
        lambda one: one.proving(hashes=(*one.parsed.hashes, bytes(32))),
        {"inclusion"},
    ),
    "another version of proofs": (
        lambda one: replace(one, proof=one.proof.replace(b"@v1", b"@v2")),
        {"proof"},
    ),
    # the checkpoint
    "root changed": (
        lambda one: one.proving(checkpoint=_rewritten(one.parsed.checkpoint, root=bytes(32))),
        {"signature", "inclusion"},
    ),
    "root changed, signed anew": (lambda one: one.signed(size_of(one), bytes(32)), {"inclusion"}),
    "size below the entry, signed anew": (
        lambda one: one.signed(one.parsed.index, root_of(one)),
        {"inclusion"},
    ),
    "signature flipped": (
        lambda one: one.proving(checkpoint=_flipped(one.parsed.checkpoint)),
        {"signature"},
    ),
    "another origin, signed anew": (
        lambda one: one.signed(size_of(one), root_of(one), "other.example/log"),
        {"signature"},
    ),
    "signed by a stranger": (
        lambda one: one.signed(size_of(one), root_of(one), ORIGIN, STRANGER),
        {"signature"},
    ),
    # the key
    "another key": (lambda one: replace(one, vkey=str(STRANGER.public)), {"signature"}),
    "a character of the key changed": (
        lambda one: replace(one, vkey=one.vkey.replace("example", "exemple")),
        {"key"},
    ),
    "rotation signed by the new key only": (
        lambda one: _rotated(one, FIRST_KEY, STRANGER, STRANGER, STRANGER),
        {"signature"},
    ),
    "rotation signed by the old key only": (
        lambda one: replace(
            _rotated(one, STRANGER, FIRST_KEY, STRANGER, STRANGER), vkey=str(STRANGER.public)
        ),
        {"signature"},
    ),
    # the page
    "the page prints another value": (
        lambda one: replace(one, expected=one.expected | {"value": "1.000000"}),
        {"statement"},
    ),
    "the page says another date": (
        lambda one: replace(one, expected=one.expected | {"date": "2026-06-19"}),
        {"statement"},
    ),
    "the page names another entry": (
        lambda one: replace(one, expected=one.expected | {"index": "1"}),
        {"proof"},
    ),
}


def _entry(given: Given, **changed: str) -> bytes:
    return canonical_bytes(json.loads(decode_bundle(given.bundle)[given.parsed.index % 256]) | changed)


def _rewritten(checkpoint: bytes, root: bytes) -> bytes:
    """Return a checkpoint with another root under the old signature."""
    lines = checkpoint.split(b"\n")
    return b"\n".join([*lines[:2], base64.b64encode(root), *lines[3:]])


def root_of(given: Given) -> bytes:
    """Return the root that the checkpoint says."""
    return base64.b64decode(given.parsed.checkpoint.split(b"\n")[2])


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_one_is_refused_at_its_step(page: Page, given: Given, case: str) -> None:
    """No step fails but those whose subject was changed."""
    tamper, wanted = TAMPERED[case]
    ok, steps = verified(page, tamper(given))
    assert not ok
    assert {name for name, good in steps.items() if good is False} == wanted
    skipped = {name for name, good in steps.items() if good is None}
    assert skipped == {
        "key": {"signature"},
        "entry": {"inclusion", "digest", "statement"},
        "another version": {"signature", "entry", "inclusion", "digest", "statement"},
    }.get("another version" if case == "another version of proofs" else min(wanted, key=STEPS.index), set())


def test_a_record_of_another_date_is_refused(page: Page, given: Given, published_sample: Path) -> None:
    """A true record in the place of another."""
    other = read_given(published_sample, "openai", "2026-06-19", 0, given.vkey)
    ok, steps = verified(page, replace(given, record=other.record))
    assert not ok
    assert {name for name, good in steps.items() if not good} == {"digest", "statement"}


def test_division_is_half_even(page: Page) -> None:
    """Against Python's decimal, ties among them."""
    scale = 86_400 * 10**12
    pairs = [
        (1, 2 * 10**6),
        (3, 2 * 10**6),
        (5, 2 * 10**6),
        (2, 3),
        (10**30, 7 * scale),
        (999_999_500_001, 10**12),
    ]
    found = in_module(
        page,
        "return given.map(([n, d]) => module.sixDecimals(BigInt(n), BigInt(d)))",
        [[str(one) for one in pair] for pair in pairs],
    )
    with localcontext(prec=80):
        wanted = [
            str((Decimal(n) / Decimal(d)).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)) for n, d in pairs
        ]
    assert found == wanted


def test_bundles_are_found_in_logs_of_any_size(page: Page) -> None:
    """As the publisher names them."""
    pairs = [
        (0, 1),
        (255, 256),
        (255, 300),
        (256, 300),
        (300_000, 300_001),
        (256_000, 10**6),
        (10**9, 2 * 10**9),
    ]
    found = in_module(page, "return given.map(([index, size]) => module.bundlePath(index, size))", pairs)
    assert found == [
        f"/log/{bundle_path(index // 256, min(256, size - index // 256 * 256))}" for index, size in pairs
    ]


# ---- through the page


def pressed(visit: Visit, key: str | None = None) -> tuple[str, list[str]]:
    """Press the button; return the verdict and the marks of the steps."""
    panel = visit.page.locator("#verify")
    if key is not None:
        panel.get_by_label("Public key of the log").fill(key)
    panel.get_by_role("button", name="Verify in this browser").click()
    verdict = panel.locator("output")
    visit.page.wait_for_function(
        "() => /^[✓✗]|checked/.test(document.querySelector('#verify output').textContent)"
    )
    return verdict.inner_text(), [text[0] for text in panel.locator("li").all_inner_texts()]


def test_the_page_accepts_a_true_value(browser: Browser, site: str) -> None:
    """With the key of the page and with the first key, pasted."""
    with visiting(browser, site) as visit:
        visit.go(f"/series/openai/{DATE}")
        for key in (None, str(FIRST_KEY.public)):
            verdict, marks = pressed(visit, key)
            assert verdict.startswith("✓ Verified")
            assert marks == ["✓"] * len(STEPS)
        assert visit.violations() == []
        assert visit.complaints == []


@pytest.mark.parametrize(
    ("series", "case", "failed"),
    [
        ("openai", "signature flipped", {"signature"}),
        ("qwen", "two hashes swapped", {"inclusion"}),
        ("anthropic", "root changed", {"signature", "inclusion"}),
    ],
)
def test_the_page_refuses_tampered_proofs(
    browser: Browser, site: str, published_sample: Path, series: str, case: str, failed: set[str]
) -> None:
    """A server that lies, or something on the way, gives out another proof; ours refuses to (tests/test_damage.py)."""
    one = read_given(published_sample, series, DATE, 0, str(FIRST_KEY.public))
    tampered = TAMPERED[case][0](one).proof
    with visiting(browser, site) as visit:
        visit.page.route("**/proofs/**", lambda route: route.fulfill(body=tampered))
        visit.go(f"/series/{series}/{DATE}")
        verdict, marks = pressed(visit)
        assert verdict.startswith("✗ Not verified")
        assert {name for name, mark in zip(STEPS, marks, strict=True) if mark == "✗"} == failed
        assert visit.violations() == []


def test_the_page_refuses_a_record_changed_on_the_way(browser: Browser, site: str) -> None:
    """Something between server and reader changes a price."""

    def change(route: Route) -> None:
        route.fulfill(body=_dearer(route.fetch().body()))

    with visiting(browser, site) as visit:
        visit.page.route("**/records/**", change)
        visit.go(f"/series/openai/{DATE}")
        verdict, marks = pressed(visit)
        assert verdict.startswith("✗ Not verified")
        assert {name for name, mark in zip(STEPS, marks, strict=True) if mark == "✗"} == {"digest", "value"}


def test_the_page_refuses_another_key(browser: Browser, site: str) -> None:
    """A reader's key that never signed this log, and text that is no key."""
    with visiting(browser, site) as visit:
        visit.go(f"/series/openai/{DATE}")
        for key, step in ((str(STRANGER.public), "signature"), ("not a key", "key")):
            verdict, marks = pressed(visit, key)
            assert verdict.startswith("✗ Not verified")
            assert marks[STEPS.index(step)] == "✗"


def test_a_file_that_cannot_be_read_is_not_verified(browser: Browser, site: str) -> None:
    """The proof is gone."""
    with visiting(browser, site) as visit:
        visit.page.route("**/proofs/**", lambda route: route.fulfill(status=404))
        visit.go(f"/series/openai/{DATE}")
        assert pressed(visit) == (
            f"✗ Not verified: /proofs/openai/{DATE}.0.tlog-proof cannot be read: HTTP 404",
            [],
        )


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "crypto.subtle.importKey = async () => { throw new DOMException('', 'NotSupportedError'); }",
            "no Ed25519",
        ),
        ("Object.defineProperty(window, 'isSecureContext', { value: false })", "over https"),
    ],
)
def test_a_browser_that_cannot_check_says_so(browser: Browser, site: str, script: str, said: str) -> None:
    """It names the command instead."""
    with visiting(browser, site) as visit:
        visit.page.add_init_script(script)
        visit.go(f"/series/openai/{DATE}")
        verdict, marks = pressed(visit)
        assert said in verdict
        assert "Nothing was checked" in verdict
        assert marks == []
        assert f"mtok verify {site} --key" in visit.page.locator("main").inner_text()

#!/usr/bin/env python3
"""Check a parcel of mtok, or a whole publication folder, with nothing but Python 3.9 or newer.

    python3 verify.py [PATH] [--key VKEY] [--json]

PATH is a parcel (the folder or the .zip) or a publication; without it, the folder this file stands in. VKEY is the
log's public key, from somebody you trust. Exit status: 0 all is as it should be, 1 something is not, 2 bad call.

This is a second implementation, written from the documents alone (formats.md, records.md and the rulebook, whose
rules R-0 to R-11 are cited below). It shares no line with the program that publishes, reads only the files of PATH,
writes none and asks no network. Everything in PATH may be hostile: whatever is not as the documents say raises
`Refused`, and becomes a line FAIL with the place. It does not ask whether upstream data were true, nor whether the
tokens and prices of a record follow from the observations: that takes the SQL of the rules (`mtok verify --recompute`).

The order: text forms · Ed25519 · notes · tree · files · shapes · arithmetic · a record · a parcel · a publication.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import hashlib
import io
import json
import os
import re
import stat
import sys
import zipfile
from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

FILE_BYTES_MAX = 64 * 2**20  # one file of a parcel or publication
ZIP_BYTES_MAX = 256 * 2**20  # all of a zip, unpacked
ZIP_FILES_MAX = 10_000

Json = dict[str, Any]


class Refused(Exception):
    """Something is not as the documents say; the text says what, and where."""


def need(condition: object, text: str) -> None:
    """Raise Refused with `text` unless the condition holds."""
    if not condition:
        raise Refused(text)


def show(value: object) -> str:
    """Return a foreign value for a message: one line of printable ASCII, not long."""
    text = ascii(value) if not isinstance(value, str) or not re.fullmatch(r"[ -~]*", value) else value
    return text if len(text) <= 100 else text[:100] + "…"


def equal(found: object, expected: object, what: str) -> None:
    """Raise Refused, with both, unless what was found is what was computed here."""
    if found != expected:
        raise Refused(f"{what} is {show(found)}; expected {show(expected)}")


# ---- text forms (formats.md, Conventions)

DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
SHA256 = r"[0-9a-f]{64}"
NAME = r"[A-Za-z0-9._-]{1,80}"
PATH = r"(?!/)(?!.*//)(?!(.*/)?\.{1,2}(/|$))[A-Za-z0-9._/-]{1,300}(?<!/)"


def digest(raw: bytes) -> str:
    """Return the sha256 of a file's bytes as it is written."""
    return hashlib.sha256(raw).hexdigest()


def day(text: str) -> int:
    """Return a date as a day number. Raises Refused for a day no calendar has."""
    try:
        return dt.date.fromisoformat(text).toordinal()
    except ValueError:
        raise Refused(f"{show(text)} is no date") from None


def instant(text: str) -> tuple[int, int, str]:
    """Return an instant as (day, second of the day, fraction), which compares as time does."""
    hours, minutes, seconds = int(text[11:13]), int(text[14:16]), int(text[17:19])
    need(hours < 24 and minutes < 60 and seconds < 60, f"{show(text)} is no instant")
    return day(text[:10]), hours * 3600 + minutes * 60 + seconds, text[20:-1]


def from_base64(text: str) -> bytes:
    """Return the bytes of standard base64 in its one spelling."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise Refused(f"{show(text)} is no base64") from None
    need(base64.b64encode(raw).decode() == text, f"base64 {show(text)} has another spelling")
    return raw


def canonical(value: object) -> bytes:
    """Return the canonical JSON of a value (RFC 8785 over strings, booleans, lists and objects)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _no_number(text: str) -> NoReturn:
    raise Refused(f"JSON number {show(text)}: every number is a string")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    need(len(found) == len(pairs), "a key stands twice in one JSON object")
    need(all(key.isascii() for key in found), "a key of a JSON object is not ASCII")
    need(None not in found.values(), "null in JSON: absent fields are left out")
    return found


def read_json(raw: bytes) -> Any:
    """Return what canonical JSON says. Raises Refused for bytes that are not its canonical form."""
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_int=_no_number,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
        need(canonical(value) == raw, "not canonical JSON: other order, white space or escapes")
    except (ValueError, RecursionError) as error:
        raise Refused(f"no JSON: {type(error).__name__}") from None
    return value


def rounded(value: Fraction, places: int) -> str:
    """Return a fraction with so many decimals, half-even."""
    whole = round(value * 10**places)  # Fraction rounds half to even, exactly
    digits = str(abs(whole)).rjust(places + 1, "0")
    return f"{'-' if whole < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def root(value: Fraction, places: int) -> Fraction:
    """Return the square root with so many decimals, half-even, by integer square root."""
    scaled = value * 100**places
    low = isqrt(scaled.numerator // scaled.denominator)
    middle = Fraction(2 * low + 1, 2) ** 2
    up = scaled > middle or (scaled == middle and low % 2 == 1)
    return Fraction(low + up, 10**places)


# ---- Ed25519 (RFC 8032), verification only, strict

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]  # extended coordinates: x = X/Z, y = Y/Z, xy = T/Z
NEUTRAL = (0, 1, 1, 0)


def add(a: Point, b: Point) -> Point:
    """Return a + b (RFC 8032, 5.1.4)."""
    p, q = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    r, s = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = q - p, s - r, s + r, q + p
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar: int, point: Point) -> Point:
    """Return scalar · point."""
    result: Point = NEUTRAL
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def same_point(a: Point, b: Point) -> bool:
    """Return whether two extended points are one."""
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 == (a[1] * b[2] - b[1] * a[2]) % P


def point_of(raw: bytes) -> Point | None:
    """Return the point of 32 bytes (5.1.3); None where they encode none, or not canonically."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x % 2 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
_verified: dict[tuple[bytes, bytes, bytes], bool] = {}


def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the signature is this key's over the message (5.1.7), each asked once.

    Stricter than RFC 8032 asks: keys and R of small order are refused, so that a signature is of one key and message.
    """
    asked = (public, message, signature)
    if asked not in _verified:
        _verified[asked] = _verifies(public, message, signature)
    return _verified[asked]


def _verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    if len(public) != 32 or len(signature) != 64:
        return False
    key, commitment = point_of(public), point_of(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or BASE is None or scalar >= ORDER:
        return False
    if same_point(times(8, key), NEUTRAL) or same_point(times(8, commitment), NEUTRAL):
        return False
    challenge = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(challenge, "little") % ORDER
    return same_point(times(scalar, BASE), add(commitment, times(k, key)))


# ---- keys, signed notes, checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint)


class Key(NamedTuple):
    """A public key: its name, the four bytes that hint at it, and the Ed25519 key."""

    name: str
    hint: bytes
    public: bytes


class Checkpoint(NamedTuple):
    """The head of a log, and the keys whose signatures under it verified."""

    origin: str
    size: int
    root: bytes
    signers: tuple[Key, ...]


def parse_key(text: str) -> Key:
    """Return the key of a line `name+hint+base64`. Raises Refused for another."""
    parts = text.split("+", 2)
    need(len(parts) == 3 and re.fullmatch(r"[^\s+\x00-\x1f]+", parts[0]), f"{show(text)} is no public key")
    raw = from_base64(parts[2])
    need(raw[:1] == b"\x01" and len(raw) == 33, "the public key is not of the kind Ed25519 (0x01, 32 bytes)")
    hint = hashlib.sha256(parts[0].encode() + b"\n" + raw).digest()[:4]
    equal(parts[1], hint.hex(), "the hint in the public key")
    need(point_of(raw[1:]), "the public key is no point of the curve")
    return Key(parts[0], hint, raw[1:])


def open_note(raw: bytes, keys: tuple[Key, ...]) -> tuple[str, tuple[Key, ...]]:
    """Return the text of a signed note and which of `keys` signed it: at least one, and none of them wrongly."""
    try:
        whole = raw.decode()
    except UnicodeDecodeError:
        raise Refused("the note is not UTF-8") from None
    need(not re.search(r"[\x00-\x09\x0b-\x1f]", whole), "a control character in the note")
    need(whole.endswith("\n") and "\n\n" in whole, "the note has no blank line, or no newline at its end")
    text, _, tail = whole.rpartition("\n\n")
    lines = tail[:-1].split("\n")
    need(len(lines) <= 16, "more than 16 signatures")
    known, signers = {(key.name, key.hint): key for key in keys}, []
    for line in lines:
        found = re.fullmatch(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)", line)
        if found is None:
            raise Refused(f"{show(line)} is no signature line")
        signature = from_base64(found[2])
        need(len(signature) > 4, "a signature without bytes")
        key = known.get((found[1], signature[:4]))
        if key is not None:
            need(key not in signers, f"{show(key.name)} signed twice")
            good = verifies(key.public, (text + "\n").encode(), signature[4:])
            need(
                good, f"the signature of {show(key.name)} does not verify: text, signature or key was changed"
            )
            signers.append(key)
    names = ", ".join(show(line) for line in lines)
    need(
        signers,
        f"not signed by {', '.join(show(key.name) for key in keys)} with the key given, only: {names}",
    )
    return text + "\n", tuple(signers)


def open_checkpoint(raw: bytes, keys: tuple[Key, ...]) -> Checkpoint:
    """Return the head of a log that a checkpoint says."""
    text, signers = open_note(raw, keys)
    lines = text.split("\n")
    need(len(lines) == 4, "a checkpoint has three lines: origin, size, root")
    need(re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]), f"size {show(lines[1])} of a log")
    need(all(key.name == lines[0] for key in signers), f"origin {show(lines[0])} is not the name of the key")
    tree_root = from_base64(lines[2])
    need(len(tree_root) == 32, "a root has 32 bytes")
    return Checkpoint(lines[0], int(lines[1]), tree_root, signers)


def text_of(key: Key) -> str:
    """Return a key as it is written."""
    return f"{key.name}+{key.hint.hex()}+{base64.b64encode(bytes([1]) + key.public).decode()}"


# ---- the tree (RFC 6962, 2.1) and proofs (c2sp.org/tlog-proof)


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(hashes: list[bytes]) -> bytes:
    """Return the root over hashes: split at the greatest power of two below their number."""
    if not hashes:
        return hashlib.sha256().digest()
    while len(hashes) > 1:  # pairing level by level, the odd one moved up, is that split
        paired = [node_hash(*hashes[place : place + 2]) for place in range(0, len(hashes) - 1, 2)]
        hashes = paired + hashes[len(hashes) & ~1 :]
    return hashes[0]


def root_by_proof(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root that a proof gives for a leaf (RFC 9162, 2.1.3.2)."""
    need(index < size, f"entry {index} in a log of {size}")
    place, last, found = index, size - 1, leaf
    for one in path:
        need(last, "the proof has too many hashes")
        if place & 1 or place == last:
            found = node_hash(one, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, one)
        place, last = place >> 1, last >> 1
    need(not last, "the proof has too few hashes")
    return found


def check_proof(raw: bytes, entry: bytes, keys: tuple[Key, ...]) -> tuple[int, Checkpoint]:
    """Return index and checkpoint of a proof file that holds for an entry."""
    head, blank, note = raw.partition(b"\n\n")
    need(blank, "no blank line before the checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Refused("the proof is not ASCII") from None
    equal(lines.pop(0), "c2sp.org/tlog-proof@v1", "the first line")
    if lines and lines[0].startswith("extra "):
        from_base64(lines.pop(0)[6:])
    index = re.fullmatch(r"index (0|[1-9][0-9]{0,15})", lines.pop(0) if lines else "")
    if index is None:
        raise Refused("no line `index` where it belongs")
    need(len(lines) <= 64, "more than 64 hashes")
    path = [from_base64(line) for line in lines]
    need(all(len(one) == 32 for one in path), "a hash has 32 bytes")
    checkpoint = open_checkpoint(note, keys)
    found = root_by_proof(leaf_hash(entry), int(index[1]), checkpoint.size, path)
    need(
        found == checkpoint.root,
        f"entry {index[1]} of the log is another: the proof does not lead to the signed root",
    )
    return int(index[1]), checkpoint


# ---- files


class Place:
    """A folder or a zip, of which only regular files at plain paths are read, each up to FILE_BYTES_MAX."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.zip: zipfile.ZipFile | None = None
        self.once: dict[tuple[str, ...], Any] = {}  # what was read and checked before
        if self.path.is_dir():
            return
        try:
            need(self.path.stat().st_size <= ZIP_BYTES_MAX, "the zip is too large")
            self.zip = zipfile.ZipFile(io.BytesIO(self.path.read_bytes()))
            members = self.zip.infolist()
        except Exception as error:  # a damaged zip raises many things
            raise Refused(f"no folder, and no zip that can be read: {type(error).__name__} {error}") from None
        names = {one.filename for one in members}
        need(len(members) <= ZIP_FILES_MAX, f"more than {ZIP_FILES_MAX} files in the zip")
        need(len(names) == len(members), "a name stands twice in the zip")
        need(sum(one.file_size for one in members) <= ZIP_BYTES_MAX, "unpacked, the zip is too large")
        bad = [name for name in names if not re.fullmatch(PATH, name[:-1] if name.endswith("/") else name)]
        need(not bad, f"a path in the zip: {show(bad[:1])}")

    def files(self) -> list[str]:
        """Return the paths of all files, sorted; links and other strange things are among them, to be refused."""
        if self.zip is not None:
            return sorted(name for name in self.zip.namelist() if not name.endswith("/"))
        if ("files",) in self.once:
            return list(self.once["files",])
        found = []
        for folder, folders, names in os.walk(self.path):
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            found += [(Path(folder) / name).relative_to(self.path).as_posix() for name in names + links]

        self.once["files",] = sorted(found)
        return sorted(found)

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises Refused where there is none, or none to be read."""
        need(re.fullmatch(PATH, path), f"path {show(path)}")
        full = self.path / path
        try:
            if self.zip is None:
                need(stat.S_ISREG(full.lstat().st_mode), f"{path} is no regular file")
            with self.zip.open(path) if self.zip is not None else full.open("rb") as file:
                raw: bytes = file.read(FILE_BYTES_MAX + 1)
        except (KeyError, FileNotFoundError, NotADirectoryError):
            raise Refused(f"{path} is missing") from None
        except Exception as error:
            raise Refused(f"{path} cannot be read: {type(error).__name__} {error}") from None
        need(len(raw) <= FILE_BYTES_MAX, f"{path} has more than {FILE_BYTES_MAX} bytes")
        return raw

    def read_digest(self, path: str, expected: str) -> bytes:
        """Return a file's bytes. Raises Refused unless they have the digest."""
        raw = self.read(path)
        equal(digest(raw), expected, f"{path}: sha256")
        return raw


# ---- shapes (records.md; formats.md, Entries): what fields there are, which may be absent (?), and their form

KINDS = {
    "name": NAME,
    "text": r"[\s\S]{0,10000}",
    "date": DATE,
    "instant": DATE + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,8}[1-9])?Z",
    "sha256": SHA256,
    "path": PATH,
    "count": r"0|[1-9][0-9]{0,59}",
    "age": r"-1|0|[1-9][0-9]{0,2}",
    "decimal": r"-?(0|[1-9][0-9]{0,59})(\.[0-9]{1,120})?",
    "capture": r"c[1-9][0-9]{0,8}",
    "stage": "prelim|final|informational|backfill",
    "class": "ineligible|unpaid|missing",
    "true": "true",
    "reference": rf"{NAME}|model:[A-Za-z0-9][A-Za-z0-9._-]{{0,79}}/[A-Za-z0-9][A-Za-z0-9._-]{{0,119}}",
    "state": "published|upheld|corrected|locked",
    "level": "F[0135]",
    "pseudonym": "[a-z0-9][a-z0-9-]{7,63}",
}


def fields(text: str, **more: Any) -> Json:
    """Return a shape: groups of a kind and names; `more` are fields with an inner shape, `name_` for `name?`."""
    found: Json = {}
    for group in text.split(","):
        kind, *names = group.split()
        found.update((name, kind) for name in names)
    found.update((re.sub("_$", "?", name), inner) for name, inner in more.items())
    return found


CAPTURE = fields("instant captured_at, text collector, count rank, sha256 sha256")
PRICE = fields("text constituent, count price_seconds, decimal price_usd_per_mtok, name rung, age age_days")
EFFECTS = fields("decimal price? mix? entry? exit? replacement?")
FILE = fields("path path, sha256 sha256")
RANKINGS = fields("instant as_of, sha256 sha256")
ADDED = fields(  # what publication adds to a determination
    "stage stage, count vintage supersedes?, instant known_at, name reason?, sha256 determination_sha256 policy_sha256",
    observations=FILE,
    prices=FILE,
)
DIAGNOSTICS = fields(
    "count token_weight constituents observed_tokens direct_tokens fallback_tokens imputed_tokens missing_tokens "
    "unpaid_tokens ineligible_tokens market_tail_tokens? market_tokens? named_rows? smallest_named_tokens? "
    "absent_constituents?, name weight_basis, decimal price_coverage? missing_price_share? imputed_token_share? "
    "fallback_share? conflict_share? unpaid_share? ineligible_share? top_constituent_share? hhi? "
    "effective_constituents? market_tail_share? truncation_exposure? unseen_ratio? truncation_low? "
    "truncation_high? first_party_gap?"
)
TAKEN = ("market_tail_tokens", "market_tokens", "named_rows", "smallest_named_tokens", "first_party_gap")
RECORD = {
    **fields(
        "name series methodology origin? quality, text unit volume_source, date date, instant as_of, true backcast?, "
        "count w n? average_7d_days average_30d_days, decimal value? average_7d? average_30d? price_index? "
        "price_index_exact?, sha256 rules_sha256 parameters_sha256",
        reasons=["name"],
        notes=["name"],
        diagnostics=DIAGNOSTICS,
        constituents=[
            {
                **PRICE,
                **fields(
                    "count tokens, decimal weight_share contribution_usd_per_mtok", captures=["capture"]
                ),
            }
        ],
        left_out_=[fields("text constituent, count tokens, class reason", captures_=["capture"])],
        conflicts_=[
            fields("text constituent other_collector, name grade, count price_seconds other_price_seconds")
        ],
        discarded_=[fields("text constituent, capture capture, name reason")],
        absent_=[{**PRICE, "captures": ["capture"]}],
        without_volume_=["text"],
        move_={
            **fields("date from_date, decimal from_value change, sha256 from_sha256"),
            **EFFECTS,
            "entry_by_cause?": {"*": "decimal"},
            "exit_by_cause?": {"*": "decimal"},
            "factors?": fields("decimal price mix entry exit"),
            "constituents": [{**EFFECTS, **fields("text constituent, name cause?")}],
        },
        inputs={
            "captures": [{"id": "capture", **CAPTURE}],
            "seen": [fields("date date, count captures, sha256 sha256")],
            "rankings?": RANKINGS,
            "rejected_rankings?": [{**RANKINGS, "reason": "name"}],
            "endpoints?": [fields("text constituent, instant captured_at, sha256 sha256")],
        },
        earlier_=[fields("date date, sha256 sha256")],
    ),
    **ADDED,
}
PRICES = fields(
    "date date, instant as_of, name methodology, stage stage",
    prices=[{**PRICE, **fields("name series, count captures tokens?, sha256 sha256")}],
)
RAW = [
    fields("count bytes http_status?, instant captured_at, text collector source failure?, sha256 sha256?")
]
HEAD = fields("name v type, instant time")
POINT = fields(
    "name series methodology quality reason?, date date, count vintage supersedes?, stage stage, text unit, "
    "sha256 record_sha256 rules_sha256 parameters_sha256"
)
DIGESTS = ("rulebook_sha256", "rules_sha256", "parameters_sha256", "policy_sha256")
ENTRIES = {
    "method": fields(
        "name methodology, date effective_from, text announced_at reason, sha256 " + " ".join(DIGESTS)
    ),
    "raw": fields("date date, count captures, sha256 sha256"),
    "point": {**POINT, "value": "decimal"},
    "nodata": {**POINT, "reasons": ["name"]},
    "nodata without a record": fields("name series methodology, date date, stage stage, text failure"),
    "prices": fields("date date, stage stage, count constituents, path path, sha256 sha256"),
    "asof": fields("instant known_at, count vintages, sha256 sha256"),
    "notice": fields(
        "name kind series?, text text old_key? new_key? old_signature? new_signature?, date first_date? last_date?"
    ),
    "mark": fields(
        "reference reference, name methodology, date date, count mark_version source_point_index, state state, "
        "decimal value, text unit, level fallback_level, pseudonym preparer_pseudonym approver_pseudonym, "
        "sha256 reasons_sha256?"
    ),
}


def shape(value: Any, wanted: Any, where: str, unknown: set[str]) -> None:
    """Raise Refused unless a value has the shape; names of fields that no document has are added to `unknown`."""
    if isinstance(wanted, str):
        text = "true" if value is True else value
        if not isinstance(text, str) or not re.fullmatch(KINDS[wanted], text):
            raise Refused(f"{where} is {show(value)}, no {wanted}")
        if wanted in ("date", "instant"):
            (day if wanted == "date" else instant)(value)
    elif isinstance(wanted, list):
        need(isinstance(value, list), f"{where} is no list")
        for place, one in enumerate(value):
            shape(one, wanted[0], f"{where}[{place}]", unknown)
    else:
        need(isinstance(value, dict), f"{where} is no object")
        for name, inner in wanted.items():
            plain = name.rstrip("?")
            if name == "*":
                shape(list(value.values()), [inner], where, unknown)
            elif plain in value:
                shape(value[plain], inner, f"{where}.{plain}", unknown)
            else:
                need(name.endswith("?"), f"{where}.{plain} is missing")
        if "*" not in wanted:
            unknown |= {show(name) for name in value if name not in wanted and name + "?" not in wanted}


def read_named(place: Place, path: str, expected: str, wanted: Any) -> Any:
    """Return canonical JSON of a shape whose digest another file names."""
    if (path, expected) not in place.once:
        place.once[path, expected] = read_shape(place.read_digest(path, expected), wanted, path, set())
    return place.once[path, expected]


def read_shape(raw: bytes, wanted: Any, where: str, unknown: set[str]) -> Any:
    """Return canonical JSON of a shape."""
    value = read_json(raw)
    shape(value, wanted, where, unknown)
    return value


# ---- arithmetic, on fractions

SECONDS = 86_400 * 10**12  # Σ price × seconds, in 10⁻¹⁸ USD a token, of one USD a million tokens
CLASSES = {
    "direct": "direct",
    "fallback": "fallback",
    "carried": "imputed",
    "launch": "imputed",
}  # R-6, by rung
FORMS = ("price", "mix", "entry", "exit")
Basket = dict[str, tuple[int, Fraction]]  # tokens and price in USD per million, by constituent
Parameters = dict[str, Any]  # by section.name, an int or a Fraction


def usd(row: Json) -> Fraction:
    """Return a row's price of the day in USD per million."""
    return Fraction(int(row["price_seconds"]), SECONDS)


def basket(record: Json) -> Basket:
    """Return the priced constituents of a record."""
    return {row["constituent"]: (int(row["tokens"]), usd(row)) for row in record["constituents"]}


def tokens_of(rows: Basket) -> int:
    """Return the tokens of a basket: W."""
    return sum(tokens for tokens, _ in rows.values())


def mean(rows: Basket) -> Fraction:
    """Return the mean price of a basket by tokens: U of R-8.1 and R-11."""
    return sum((tokens * price for tokens, price in rows.values()), Fraction()) / tokens_of(rows)


def parameters_of(raw: bytes) -> Parameters:
    """Return the parameters of a version. Of TOML this reads what the file uses: `name = { value = …, … }`."""
    found: Parameters = {}
    section = ""
    for line in raw.decode("utf-8", "replace").splitlines():
        header = re.fullmatch(r"\[([a-z_]+)\]", line.strip())
        section = header[1] if header else section
        ratio = re.match(r"([a-z_]+) = \{ value = \[([0-9]{1,9}), ([1-9][0-9]{0,8})\],", line)
        number = re.match(r"([a-z_]+) = \{ value = ([0-9]{1,9}),", line)
        if ratio:
            found[f"{section}.{ratio[1]}"] = Fraction(int(ratio[2]), int(ratio[3]))
        elif number:
            found[f"{section}.{number[1]}"] = int(number[2])
    return found


def check_rows(record: Json) -> str:
    """R-6 to R-8: each row stands once and is priced; derived columns; conflicts, of direct prices, and their grade."""
    rows, out, absent = record["constituents"], record.get("left_out", []), record.get("absent", [])
    names = [row["constituent"] for row in rows + out + absent]
    need(len(set(names)) == len(names), "a constituent stands twice")
    need(all(usd(row) > 0 for row in rows + absent), "a priced constituent without a positive price")
    need(all(int(row["tokens"]) > 0 for row in rows + out), "a row without tokens")
    for row in rows + absent:
        equal(row["price_usd_per_mtok"], rounded(usd(row), 6), f"price of {show(row['constituent'])}")
    w = tokens_of(basket(record))
    for row in rows:
        share = Fraction(int(row["tokens"]), w)
        equal(row["weight_share"], rounded(share, 6), f"weight_share of {show(row['constituent'])}")
        said = row["contribution_usd_per_mtok"]
        equal(said, rounded(share * usd(row), 6), f"contribution of {show(row['constituent'])}")
    direct = {row["constituent"]: row["price_seconds"] for row in rows if row["rung"] == "direct"}
    conflicts = record.get("conflicts", [])
    need(len({one["constituent"] for one in conflicts}) == len(conflicts), "a conflict stands twice")
    for one in conflicts:
        name, used, gap = one["constituent"], int(one["price_seconds"]), 0
        equal(one["price_seconds"], direct.get(name), f"price in conflict of {show(name)}")
        gap = abs(used - int(one["other_price_seconds"]))
        grade = "major" if gap * 20 > used else "minor" if gap * 200 > used else "none"
        equal(one["grade"], grade, f"grade of the conflict of {show(name)}")
    return f"{len(rows)} constituents, {len(out)} rows left out, {len(absent)} absent"


def check_value(record: Json) -> str:
    """R-8.1: N, W and the value, divided once and rounded once."""
    w = tokens_of(basket(record))
    equal(record["w"], str(w), "w")
    if record["quality"] == "withheld":
        need("value" not in record and "n" not in record, "a withheld record with a value")
        return "withheld: no value, no N"
    n = sum(int(row["tokens"]) * int(row["price_seconds"]) for row in record["constituents"])
    equal(record.get("n"), str(n), "n")
    need(w, "a value without tokens")
    equal(record.get("value"), rounded(Fraction(n, w * SECONDS), 6), "value")
    return f"N ÷ (W · 86,400 · 10¹²) = {record['value']}"


class Sums(NamedTuple):
    """What R-9 and R-10 are made of, in tokens; `market` is False where no capture has rows of the day."""

    classes: dict[str, int]
    priced: int
    conflict: int
    absent: int
    market: bool
    named: int
    smallest: int
    tail: int


def sums_of(record: Json) -> Sums:
    """Return the sums over a record's rows; T, `other` and the named rows are taken as it states them."""
    classes = dict.fromkeys(("direct", "fallback", "imputed", "missing", "unpaid", "ineligible"), 0)
    for row in record["constituents"]:
        classes[CLASSES[row["rung"]]] += int(row["tokens"])
    for row in record.get("left_out", []):
        classes[row["reason"]] += int(row["tokens"])
    rows, said = basket(record), record["diagnostics"]
    disputed = [one["constituent"] for one in record.get("conflicts", []) if one["grade"] == "major"]
    market = "rankings" in record["inputs"]
    return Sums(
        classes,
        tokens_of(rows),
        sum(rows[name][0] for name in disputed),
        len(record.get("absent", [])),
        market,
        int(said["named_rows"]) if market else 0,
        int(said["smallest_named_tokens"]) if market else 0,
        int(said.get("market_tail_tokens", "0")),
    )


def bound(record: Json, sums: Sums, high: bool) -> Fraction:
    """R-9, Extremes: the mean if absent ones had tokens, the dearest (cheapest) first, while that moves it outwards."""
    rows = basket(record)
    tokens, money = tokens_of(rows), mean(rows) * tokens_of(rows)
    for place, price in enumerate(sorted((usd(row) for row in record.get("absent", [])), reverse=high)):
        if not (price > money / tokens if high else price < money / tokens):
            break
        more = min(sums.smallest, max(0, sums.tail - place * sums.smallest))
        tokens, money = tokens + more, money + more * price
    return money / tokens


def check_diagnostics(record: Json, parameters: Parameters) -> str:
    """R-9: every diagnostic that follows from the record, and none that should be absent."""
    sums, said = sums_of(record), record["diagnostics"]
    classes, priced, observed = sums.classes, sums.priced, sum(sums.classes.values())
    shares = [Fraction(tokens, priced) for tokens, _ in basket(record).values()]
    squares = sum((share * share for share in shares), Fraction())
    ratios = {
        "price_coverage": (priced, priced + classes["missing"]),
        "missing_price_share": (classes["missing"], priced + classes["missing"]),
        "imputed_token_share": (classes["imputed"], priced),
        "fallback_share": (classes["fallback"], priced),
        "conflict_share": (sums.conflict, priced),
        "unpaid_share": (classes["unpaid"], observed),
        "ineligible_share": (classes["ineligible"], observed),
    }
    found = {f"{name}_tokens": str(tokens) for name, tokens in classes.items()}
    found |= {"token_weight": str(priced), "observed_tokens": str(observed), "constituents": str(len(shares))}
    found["weight_basis"] = "total_tokens"
    if shares:
        found |= {"top_constituent_share": rounded(max(shares), 6), "hhi": rounded(squares, 6)}
        found["effective_constituents"] = rounded(1 / squares, 6)
    if sums.market:
        found["absent_constituents"] = str(sums.absent)
        need(
            not sums.smallest or sums.named >= parameters["capture.named_rows_min"],
            "T of a short capture is not 0",
        )
        if "market_tail_tokens" in said:
            ratios["market_tail_share"] = (sums.tail, int(said["market_tokens"]))
        ratios["truncation_exposure"] = (sums.smallest, priced)
        ratios["unseen_ratio"] = (min(sums.absent * sums.smallest, sums.tail), priced)
        if record["quality"] != "withheld":
            found["truncation_low"] = rounded(bound(record, sums, high=False), 6)
            found["truncation_high"] = rounded(bound(record, sums, high=True), 6)
    found |= {name: rounded(Fraction(part, whole), 6) for name, (part, whole) in ratios.items() if whole}
    for name in sorted({name.rstrip("?") for name in DIAGNOSTICS}.difference(TAKEN)):
        equal(said.get(name), found.get(name), f"diagnostics.{name}")
    return f"{len(found)} diagnostics; taken as stated: {', '.join(TAKEN)}"


def check_quality(record: Json, parameters: Parameters) -> str:
    """R-10: reasons and status, compared on exact fractions."""
    sums, w = sums_of(record), sums_of(record).priced
    limit = {name[8:]: value for name, value in parameters.items() if name.startswith("quality.")}
    equal(record["volume_source"], "rankings-daily", "volume_source")
    if not sums.market or not w:
        quality, reasons = "withheld", ["no_priced_volume" if sums.market else "no_volumes"]
    else:
        coverage, exposure = Fraction(w, w + sums.classes["missing"]), Fraction(sums.smallest, w)
        imputed, fallback = sums.classes["imputed"], sums.classes["fallback"]
        withheld = {
            "coverage_below_minimum": coverage < limit["coverage_withheld"],
            "truncation": exposure > limit["truncation_withheld"],
        }
        unseen = Fraction(min(sums.absent * sums.smallest, sums.tail), w)
        lesser = {
            "truncation": exposure > limit["truncation"] or unseen > limit["unseen_ratio"],
            "coverage": coverage < limit["coverage"],
            "imputed_or_fallback": imputed + fallback > limit["imputed_or_fallback"] * w,
            "conflict": sums.conflict > limit["conflict"] * w,
            "few_constituents": len(record["constituents"]) < limit["constituents_min"],
            "short_capture": sums.named < parameters["capture.named_rows_min"],
        }
        refused = any(withheld.values())
        reasons = sorted(name for name, holds in (withheld if refused else lesser).items() if holds)
        quality = "estimated" if imputed > limit["estimated"] * w else "degraded" if reasons else "good"
        quality = "withheld" if refused else quality
    equal(record["reasons"], reasons, "reasons")
    equal(record["quality"], quality, "quality")
    return f"{quality} {' '.join(reasons)}".strip()


def printed_before(earlier: dict[str, Json]) -> Json | None:
    """Return the youngest earlier printed record, whatever its age."""
    printed = [date for date, one in earlier.items() if "value" in one]
    return earlier[max(printed)] if printed else None


def check_averages(record: Json, earlier: dict[str, Json], parameters: Parameters) -> str:
    """R-8.2: means of the printed values of 7 and 30 days, absent under four fifths; how many, of withheld days too."""
    printed = {
        day(one["date"]): Fraction(one["value"]) for one in [*earlier.values(), record] if "value" in one
    }
    for days in (7, 30):
        values = [value for date, value in printed.items() if date > day(record["date"]) - days]
        enough = "value" in record and len(values) >= parameters["averages.printed_share_min"] * days
        average = rounded(sum(values, Fraction()) / len(values), 6) if enough else None
        equal(record[f"average_{days}d_days"], str(len(values)), f"average_{days}d_days")
        equal(record.get(f"average_{days}d"), average, f"average_{days}d")
    return "7 and 30 days"


class Link(NamedTuple):
    """R-11, two printed days and what continues: baskets, the same over C, and the factors of Laspeyres and Paasche."""

    old: Basket
    new: Basket
    stay0: Basket
    stay1: Basket
    laspeyres: Fraction
    paasche: Fraction


def link(before: Json, record: Json) -> Link:
    """Return the link of two days."""
    old, new = basket(before), basket(record)
    stay0 = {name: old[name] for name in old if name in new}
    stay1 = {name: new[name] for name in stay0}
    factors = []
    for quantities in (stay0, stay1) if stay0 else ():
        money = [sum(quantities[name][0] * by[name][1] for name in stay0) for by in (stay1, stay0)]
        factors.append(Fraction(money[0]) / money[1])
    return Link(old, new, stay0, stay1, *(factors or [Fraction(1)] * 2))


def check_index(record: Json, before: Json | None, parameters: Parameters) -> str:
    """R-8.3 and the notes of R-10: the chained index, `weak_link`, `no_link`, `jump`."""
    if "value" not in record:
        need("price_index" not in record and "price_index_exact" not in record, "an index of a withheld day")
        equal(record["notes"], [], "notes")
        return "none of a withheld day"
    notes, index = [], Fraction(100)
    if before is not None:
        days, index = link(before, record), Fraction(before.get("price_index_exact", "0"))
        need(index > 0, "the earlier record has no price_index_exact")
        near = day(record["date"]) - day(before["date"]) <= parameters["averages.previous_days"]
        if near and days.stay0:
            square = index**2 * days.laspeyres * days.paasche
            index = significant_root(square, parameters["averages.index_digits"])
            pairs = ((days.stay0, days.old), (days.stay1, days.new))
            held = min(Fraction(tokens_of(part), tokens_of(whole)) for part, whole in pairs)
            notes += ["weak_link"] * (held < parameters["averages.weak_link_share"])
        else:
            notes.append("no_link")
        if near and abs(mean(days.new) - mean(days.old)) > parameters["quality.jump"] * mean(days.old):
            notes.append("jump")
    exact = Fraction(record.get("price_index_exact", "0"))
    need(
        exact == index,
        f"price_index_exact is {show(record.get('price_index_exact'))}; expected {rounded(index, 50)}",
    )
    equal(record.get("price_index"), rounded(index, 6), "price_index")
    equal(sorted(record["notes"]), sorted(notes), "notes")
    return f"{record['price_index']} {' '.join(notes)}".strip()


def significant_root(value: Fraction, digits: int) -> Fraction:
    """Return the square root with so many significant digits, half-even."""
    places = 0
    while places < 2 * digits and root(value, places) * 10**places < 10 ** (digits - 1):
        places += 1
    return root(value, places)


def causes_of(names: set[str], other: Json) -> dict[str, str]:
    """R-11: why constituents are not priced in the other record."""
    reasons = {row["constituent"]: str(row["reason"]) for row in other.get("left_out", [])}
    described = set(other.get("without_volume", []))
    return {name: reasons.get(name, "no_row" if name in described else "unlisted") for name in names}


def effects_of(days: Link) -> dict[str, dict[str, Fraction]]:
    """R-11: the effects of each constituent, exact."""
    old, new, w0, w1 = days.old, days.new, tokens_of(days.old), tokens_of(days.new)
    effects: dict[str, dict[str, Fraction]] = {}
    if not days.stay0:
        effects = {
            name: {"replacement": Fraction(tokens, w1) * price} for name, (tokens, price) in new.items()
        }
        return {
            **effects,
            **{name: {"replacement": -Fraction(tokens, w0) * price} for name, (tokens, price) in old.items()},
        }
    mean0, mean1, c0, c1 = mean(days.stay0), mean(days.stay1), tokens_of(days.stay0), tokens_of(days.stay1)
    for name, (tokens0, p0) in days.stay0.items():
        tokens1, p1 = new[name]
        s0, s1 = Fraction(tokens0, c0), Fraction(tokens1, c1)
        mix = ((p0 + p1) / 2 - (mean0 + mean1) / 2) * (s1 - s0)
        effects[name] = {"price": (s0 + s1) / 2 * (p1 - p0), "mix": mix}
    for name in new.keys() - old.keys():
        effects[name] = {"entry": Fraction(new[name][0], w1) * (new[name][1] - mean1)}
    for name in old.keys() - new.keys():
        effects[name] = {"exit": -Fraction(old[name][0], w0) * (old[name][1] - mean0)}
    return effects


def expected_move(before: Json, record: Json) -> Json:
    """R-11: the whole field `move`, its constituents by name."""
    days = link(before, record)
    effects, change = effects_of(days), mean(days.new) - mean(days.old)
    causes = causes_of(days.new.keys() - days.old.keys(), before)
    causes |= causes_of(days.old.keys() - days.new.keys(), record)
    found: Json = {"from_date": before["date"], "from_value": before["value"], "change": rounded(change, 12)}
    total = Fraction()
    for form in FORMS if days.stay0 else ("replacement",):
        of_form = {name: effect[form] for name, effect in effects.items() if form in effect}
        found[form] = rounded(sum(of_form.values(), Fraction()), 12)
        total += sum(of_form.values(), Fraction())
        if form in ("entry", "exit") and of_form:
            by_cause = dict.fromkeys((causes[name] for name in of_form), Fraction())
            for name, effect in of_form.items():
                by_cause[causes[name]] += effect
            found[f"{form}_by_cause"] = {why: rounded(effect, 12) for why, effect in by_cause.items()}
    need(total == change, "the effects do not add up to the change")
    if days.stay0:
        mean0, mean1, square = mean(days.stay0), mean(days.stay1), days.laspeyres * days.paasche
        factors = root(square, 12), root((mean1 / mean0) ** 2 / square, 12), mean(days.new) / mean1
        found["factors"] = {
            form: rounded(factor, 12) for form, factor in zip(FORMS, [*factors, mean0 / mean(days.old)])
        }
    found["constituents"] = {}
    for name, of_name in effects.items():
        found["constituents"][name] = {form: rounded(effect, 12) for form, effect in of_name.items()}
        if name in causes:
            found["constituents"][name]["cause"] = causes[name]
    return found


def check_move(record: Json, before: Json | None, parameters: Parameters) -> str:
    """R-11: the move since the previous printed record: whole, by constituent, by cause, in dollars and as factors."""
    gap = day(record["date"]) - day(before["date"]) if before else 0
    if before is None or "value" not in record or gap > parameters["averages.previous_days"]:
        need("move" not in record, "a move where there is no value to move from or to")
        return "none: no value of this day, or within 30 days before"
    said, expected = dict(record.get("move", {"constituents": []})), expected_move(before, record)
    rows = {row["constituent"]: {**row} for row in said["constituents"]}
    equal(len(rows), len(said["constituents"]), "constituents of the move that are distinct")
    equal(said.pop("from_sha256", None), before["determination_sha256"], "move.from_sha256")
    for name, row in rows.items():
        row.pop("constituent")
        equal(row, expected["constituents"].get(name), f"move of {show(name)}")
    for name in sorted(said.keys() | expected.keys()):
        found = rows.keys() if name == "constituents" else said.get(name)
        equal(found, expected[name].keys() if name == "constituents" else expected.get(name), f"move.{name}")
    return f"{said['change']} since {said['from_date']}"


# ---- a record, and all that it names


class Line(NamedTuple):
    """One check: whether it was ok, the rule or specification, the place, and what was found."""

    ok: bool
    check: str
    place: str
    found: str


class Report:
    """The checks, and remarks that are no failures."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.remarks: list[str] = []

    def run(self, what: str, where: str, check: Callable[..., Any], *given: Any) -> Any:
        """Note how a check went, and return what it found; None where it failed, whatever it raised."""
        try:
            found = check(*given)
        except Refused as error:
            self.lines.append(Line(False, what, where, str(error)))
            return None
        except Exception as error:  # hostile content that no check foresaw is refused like any other
            reason = f"cannot be checked: {type(error).__name__} {show(str(error))}"
            self.lines.append(Line(False, what, where, reason))
            return None
        self.lines.append(Line(True, what, where, found if isinstance(found, str) else ""))
        return found


class Case(NamedTuple):
    """A published record, the earlier ones it names by date, and where its files stand in a place."""

    place: Place
    at: str
    record: Json
    earlier: dict[str, Json]
    observations: str
    prices: str
    policy: str


def read_record(place: Place, path: str, unknown: set[str]) -> tuple[Json, bytes]:
    """Return a published record, its shape and determination_sha256 checked (formats.md, Records), and its bytes."""
    raw = place.read(path)
    record: Json = read_shape(raw, RECORD, "record", unknown)
    alone = {name: value for name, value in record.items() if not {name, name + "?"} & ADDED.keys()}
    equal(record["determination_sha256"], digest(canonical(alone)), "determination_sha256")
    need(instant(record["as_of"]) <= instant(record["known_at"]), "known_at is before as_of")
    vintage = int(record["vintage"])
    equal(record.get("supersedes"), str(vintage - 1) if vintage else None, "supersedes")
    for name, ending in (("observations", "parquet"), ("prices", "json")):
        form = rf"{name}/{record['date']}(\.(prelim|[0-9]+))?\.{ending}"
        need(re.fullmatch(form, record[name]["path"]), f"{name}.path is {show(record[name]['path'])}")
    return record, raw


def read_entry(raw: bytes, unknown: set[str]) -> Json:
    """Return an entry of the log (formats.md, Entries); of a type no document has, only its head is looked at."""
    need(len(raw) <= 65_535, "an entry above 65,535 bytes")
    entry: Json = read_shape(raw, HEAD, "entry", set())
    equal(entry["v"], "1", "v of the entry")
    kind = "nodata without a record" if entry["type"] == "nodata" and "failure" in entry else entry["type"]
    if kind in ENTRIES:
        shape(entry, {**HEAD, **ENTRIES[kind]}, kind, unknown)
    else:
        unknown.add(f"type {show(kind)}")
    return entry


def check_entry(entry: Json, record: Json, raw: bytes) -> str:
    """The entry in the log says of the record what it says itself (formats.md, Entries)."""
    kind = "point" if "value" in record else "nodata"
    equal(entry["type"], kind, "type of the entry")
    equal(entry.get("record_sha256"), digest(raw), "record_sha256 of the entry")
    equal(entry["time"], record["known_at"], "time of the entry")
    for name in sorted({name.rstrip("?") for name in ENTRIES[kind]} - {"record_sha256"}):
        equal(entry.get(name), record.get(name), f"{name} of the entry")
    return f"{kind}, record {digest(raw)}"


def check_earlier(case: Case) -> str:
    """R-0, R-11: each record that `earlier` names is there, of this series and version, and was known in time."""
    record, named = case.record, case.record.get("earlier", [])
    dates = [one["date"] for one in named]
    need(
        dates == sorted(set(dates)) and max(dates, default="") < record["date"],
        "dates in `earlier` do not rise",
    )
    for one in named:
        found, where = case.earlier.get(one["date"]), f"earlier record of {one['date']}"
        if found is None:
            raise Refused(f"{where}: missing, or refused itself")
        equal(found["determination_sha256"], one["sha256"], f"{where}: determination_sha256")
        equal(found["date"], one["date"], f"{where}: date")
        for name in ("series", "methodology", "unit", "volume_source"):
            equal(found[name], record[name], f"{where}: {name}")
        need(found["stage"] != "informational", f"{where}: it is informational")
        for name in ("as_of", "known_at"):
            need(instant(found[name]) <= instant(record[name]), f"{where}: its {name} is later")
    return f"{len(named)} earlier records, each by its digest"


def capture_list(place: Place, seen: Json, as_of: str) -> list[Json]:
    """Return the captures seen of a day: digest, count, order, day (records.md), and none after `as_of` (R-0)."""
    path = f"captures/{seen['date']}/{seen['sha256']}.json"
    found: list[Json] = read_named(place, path, seen["sha256"], [CAPTURE])
    equal(seen["captures"], str(len(found)), f"{path}: captures")
    at = [instant(one["captured_at"]) for one in found]
    order = [(when[:2], one["sha256"], one["collector"], when) for when, one in zip(at, found)]
    need(order == sorted(order), f"{path}: not in order of time")
    need(
        all(one["captured_at"].startswith(seen["date"]) for one in found), f"{path}: a capture of another day"
    )
    need(max(at, default=instant(as_of)) <= instant(as_of), f"{path}: a capture after as_of {as_of}")
    return found


def check_captures(case: Case, parameters: Parameters) -> str:
    """R-0: nothing was seen outside window and `as_of`, and each used capture stands at the place of its id."""
    record, inputs = case.record, case.record["inputs"]
    fixing, dates = day(record["date"]), [one["date"] for one in inputs["seen"]]
    first, last = (
        fixing - parameters["window.input_days_before"],
        fixing + parameters["window.input_days_after"],
    )
    need(dates == sorted(set(dates)), "the dates in inputs.seen do not rise")
    need(all(first <= day(date) <= last for date in dates), "inputs.seen names a day outside the window")
    everything = [one for seen in inputs["seen"] for one in capture_list(case.place, seen, record["as_of"])]
    for one in inputs["captures"]:
        place = int(one["id"][1:])
        need(place <= len(everything), f"{one['id']} is beyond the {len(everything)} captures seen")
        equal(one, {**everything[place - 1], "id": one["id"]}, f"capture {place} of the lists")
    used = {one["id"]: one for one in inputs["captures"]}
    need(
        [int(name[1:]) for name in used] == sorted({int(one["id"][1:]) for one in inputs["captures"]}),
        "order of ids",
    )
    rows = [*record["constituents"], *record.get("left_out", []), *record.get("absent", [])]
    referred = {name for row in rows for name in row.get("captures", [])}
    referred |= {one["capture"] for one in record.get("discarded", [])}
    equal(sorted(used), sorted(referred), "ids of inputs.captures, beside those referred to")
    check_rungs(record, used)
    volumes = [inputs[name] for name in ("rankings",) if name in inputs] + inputs.get("rejected_rankings", [])
    for instants, which in ((volumes, "as_of"), (inputs.get("endpoints", []), "captured_at")):
        need(
            all(instant(one[which]) <= instant(record["as_of"]) for one in instants),
            "another capture after as_of",
        )
    need(all(day(one["as_of"][:10]) > fixing for one in volumes), "rankings of before the day was over (R-2)")
    return f"{len(everything)} of {len(dates)} days, none after {record['as_of']}; {len(used)} used"


def check_rungs(record: Json, captures: dict[str, Json]) -> None:
    """R-6: a price rests on captures of the day, the rank and the one collector that its rung says."""
    for row in [*record["constituents"], *record.get("absent", [])]:
        age, where = int(row["age_days"]), f"{row['rung']} price of {show(row['constituent'])}"
        need(
            {"direct": age == 0, "fallback": age == 0, "carried": age > 0, "launch": age < 0}[row["rung"]],
            f"{where}: age",
        )
        used = [captures[name] for name in row["captures"]]
        need(len({one["collector"] for one in used}) == 1, f"{where}: no capture, or of two collectors")
        for one in used:
            need(
                day(one["captured_at"][:10]) == day(record["date"]) - age,
                f"{where}: a capture of another day",
            )
            need((one["rank"] == "1") == (row["rung"] != "fallback"), f"{where}: rank of a capture")


def check_methodology(case: Case) -> Parameters:
    """Rules and parameters are those the record names (records.md, Digests of a version). Returns the parameters."""
    folder = f"methodology/{case.record['methodology']}/"
    raw = case.place.read_digest(folder + "parameters.toml", case.record["parameters_sha256"])
    names = [path[len(folder) + 6 :] for path in case.place.files() if path.startswith(folder + "rules/")]
    rules = {name: digest(case.place.read(f"{folder}rules/{name}")) for name in names}
    equal(
        digest(canonical(rules)),
        case.record["rules_sha256"],
        f"digest of {folder}rules/ ({len(names)} files)",
    )
    return parameters_of(raw)


def prices_table(place: Place, path: str, expected: str) -> Json:
    """Return a table of posted prices: its digest, and its rows sorted, each once (formats.md, Posted prices)."""
    table: Json = read_named(place, path, expected, PRICES)
    order = [(row["series"], row["constituent"]) for row in table["prices"]]
    need(order == sorted(set(order)), f"{path}: rows not sorted by series and constituent, or one twice")
    return table


def check_prices(case: Case) -> str:
    """The day's table of posted prices is of this edition, and has of this series exactly the rows of the record."""
    record = case.record
    table = prices_table(case.place, case.prices, record["prices"]["sha256"])
    for name in ("date", "as_of", "methodology", "stage"):
        equal(table[name], record[name], f"{name} of the table")
    digests = {one["id"]: one["sha256"] for one in record["inputs"]["captures"]}
    rows = {}
    for row in [*record["constituents"], *record.get("absent", [])]:
        said = {name: row[name] for name in row if name in PRICE or name == "tokens"}
        last = max(row["captures"], key=lambda name: int(name[1:]))
        said.update(series=record["series"], captures=str(len(row["captures"])), sha256=digests[last])
        rows[row["constituent"]] = said
    found = {row["constituent"]: row for row in table["prices"] if row["series"] == record["series"]}
    for name in sorted(found.keys() | rows.keys()):
        equal(found.get(name), rows.get(name), f"row of {show(name)}")
    return f"{len(rows)} rows of {record['series']}"


def check_record(report: Report, case: Case) -> None:
    """Check all that a published record says and names, but for its entry in the log."""
    at, record, place = case.at, case.record, case.place
    report.run("earlier records (R-0)", at, check_earlier, case)
    for name, path, expected in (
        ("observations", case.observations, record["observations"]["sha256"]),
        ("policy", case.policy, record["policy_sha256"]),
    ):
        report.run(f"digest of the {name}", at, place.read_digest, path, expected)
    report.run("posted prices", at, check_prices, case)
    parameters = report.run("digests of rules and parameters", at, check_methodology, case)
    if not record["methodology"].startswith("1."):
        report.remarks.append(
            f"{at}: arithmetic not checked, methodology {record['methodology']} is not known here"
        )
    elif parameters is not None:
        before = printed_before(case.earlier)
        report.run("captures (R-0, R-6)", at, check_captures, case, parameters)
        report.run("rows (R-6 to R-8)", at, check_rows, record)
        report.run("value (R-8.1)", at, check_value, record)
        report.run("averages (R-8.2)", at, check_averages, record, case.earlier, parameters)
        report.run("index and notes (R-8.3, R-10)", at, check_index, record, before, parameters)
        report.run("diagnostics (R-9)", at, check_diagnostics, record, parameters)
        report.run("quality (R-10)", at, check_quality, record, parameters)
        report.run("move (R-11)", at, check_move, record, before, parameters)


# ---- a parcel (formats.md, The parcel)

PARCEL = (
    r"record\.json|entry\.json|proof\.tlog-proof|observations\.parquet|prices\.json|rulebook\.md|policy\.toml|vkey|"
    rf"verify\.py|README\.html|earlier/{DATE}\.json|captures/{DATE}/{SHA256}\.json|"
    rf"methodology/{NAME}/(parameters\.toml|rules/{NAME}\.sql)"
)


def check_parcel(report: Report, place: Place, key: Key) -> None:
    """Check a parcel: that the log holds one published record, and what that says."""
    unknown: set[str] = set()
    entry_raw = report.run("entry", "entry.json", place.read, "entry.json")
    logged = report.run(
        "in the log (RFC 6962, Ed25519)",
        "proof.tlog-proof",
        lambda: check_proof(place.read("proof.tlog-proof"), entry_raw, (key,)),
    )
    record, raw = report.run("record", "record.json", read_record, place, "record.json", unknown) or (
        None,
        b"",
    )
    entry = report.run("form of the entry", "entry.json", read_entry, entry_raw, unknown)
    if record is None:
        return
    if entry is not None:
        report.run("entry and record agree", "entry.json", check_entry, entry, record, raw)
    dates = [one["date"] for one in record.get("earlier", [])]
    found = {
        date: report.run("earlier record", path, read_record, place, path, unknown)
        for date, path in ((date, f"earlier/{date}.json") for date in dates)
    }
    earlier = {date: one[0] for date, one in found.items() if one}
    paths = ("observations.parquet", "prices.json", "policy.toml")
    check_record(report, Case(place, "record.json", record, earlier, *paths))
    tell(report, record, logged)
    strange = [path for path in place.files() if not re.fullmatch(PARCEL, path)]
    strange += [path for path in place.files() if path.startswith("earlier/") and path[8:18] not in dates]
    if strange:
        report.remarks.append(
            f"not looked at, no part of a parcel: {', '.join(show(path) for path in strange[:5])}"
        )
    if unknown:
        report.remarks.append(f"fields this program does not know: {', '.join(sorted(unknown)[:10])}")
    report.remarks.append(
        "rulebook.md, README.html and verify.py are to be read: nothing signed in a parcel names them"
    )


def tell(report: Report, record: Json, logged: tuple[int, Checkpoint] | None) -> None:
    """Say what was published, by whom and when, and what moved it."""
    what = (
        f"{record['value']} {show(record['unit'])}"
        if "value" in record
        else f"no value: {' '.join(record['reasons'])}"
    )
    report.remarks += [
        f"{record['series']} on {record['date']}: {what}, {record['quality']}",
        f"said at {record['known_at']} ({record['stage']}, vintage {record['vintage']}), "
        f"as seen until {record['as_of']}",
    ]
    if logged:
        index, head = logged
        report.remarks.append(
            f"by {show(head.origin)}, as entry {index} of its log, which had {head.size} then"
        )
    if "move" in record:
        said = record["move"]
        effects = ", ".join(f"{name} {said[name]}" for name in (*FORMS, "replacement") if name in said)
        report.remarks.append(
            f"moved by {said['change']} from {said['from_value']} on {said['from_date']}: {effects}"
        )


# ---- a publication (formats.md, The files and The log)

SERIES = "openai google-gemini anthropic deepseek qwen moonshot".split()  # R-1, in order
MARK_STATES = {  # what may follow a mark in this state, in the order of one publication
    "published": ("upheld", "corrected", "locked"),
    "upheld": ("locked",),
    "corrected": ("locked",),
    "locked": (),
}
CARRY_DAYS_MAX = 3  # of the value that a mark of level F3 rests on


class Log(NamedTuple):
    """A log that was read: entries as bytes and as objects, the sizes at which publications end, keys since when."""

    raw: list[bytes]
    entries: list[Json]
    ends: list[int]
    keys: list[tuple[int, Key]]

    def signers(self, size: int) -> tuple[Key, ...]:
        """Return the keys that sign a checkpoint of this size: one, or two while a key is replaced."""
        last = max(place for place, (since, _) in enumerate(self.keys) if since <= size)
        first = last - 1 if last and self.keys[last][0] == size else last
        return tuple(key for _, key in self.keys[first : last + 1])


def tile_path(level: str, number: int, width: int) -> str:
    """Return the path of a tile (c2sp.org/tlog-tiles): 1234067 is x001/x234/067; a partial one ends with its width."""
    parts = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        parts.insert(0, f"x{number % 1000:03}")
    return f"log/tile/{level}/{'/'.join(parts)}" + (f".p/{width}" if width < 256 else "")


def read_log(place: Place, key: Key, unknown: set[str]) -> Log:
    """Return the log as its bundles have it; the size is what the checkpoint says, which is not verified yet."""
    lines = place.read("log/checkpoint").split(b"\n")
    need(
        len(lines) > 2 and re.fullmatch(rb"[1-9][0-9]{0,6}", lines[1]),
        "log/checkpoint: no size in its second line",
    )
    size, raw = int(lines[1]), []
    for start in range(0, size, 256):
        path = tile_path("entries", start // 256, min(256, size - start))
        packed, at = place.read(path), 0
        while at < len(packed):
            length = int.from_bytes(packed[at : at + 2], "big")
            raw.append(packed[at + 2 : at + 2 + length])
            at += 2 + length
        need(
            at == len(packed) and len(raw) == min(size, start + 256),
            f"{path} has not exactly the entries it should",
        )
    entries = []
    for index, one in enumerate(raw):
        try:
            entries.append(read_entry(one, unknown))
        except Refused as error:
            raise Refused(f"entry {index}: {error}") from None
    ends = [index + 1 for index, entry in enumerate(entries) if entry["type"] == "asof"]
    need(ends and ends[-1] == size, "the last entry is no asof")
    return Log(raw, entries, ends, keys_of(entries, key, ends))


def keys_of(entries: list[Json], key: Key, ends: list[int]) -> list[tuple[int, Key]]:
    """Return the log's keys in order, each with the size from which it signs; the one given is among them."""
    notices = [
        (index, one)
        for index, one in enumerate(entries)
        if one["type"] == "notice" and one["kind"] == "key_rotation"
    ]
    keys = [(0, parse_key(notices[0][1].get("old_key", "")) if notices else key)]
    for index, one in notices:
        old, new, where = keys[-1][1], parse_key(one.get("new_key", "")), f"entry {index}"
        equal(
            [one.get("old_key"), new.name], [text_of(old), old.name], f"{where}: old key, name of the new key"
        )
        text = f"mtok key rotation\n{old.name}\n{text_of(old)}\n{text_of(new)}\n".encode()
        for signer, name in ((old, "old_signature"), (new, "new_signature")):
            signature = from_base64(one.get(name, ""))
            need(verifies(signer.public, text, signature), f"{where}: {name} does not verify")
        keys.append((min(end for end in ends if end > index), new))
    need(key in [one for _, one in keys], "the log was signed with other keys than the one given")
    return keys


def check_tiles(place: Place, log: Log) -> str:
    """Signature, root of all entries, and every tile and bundle there is, of this size or an earlier one."""
    head = open_checkpoint(place.read("log/checkpoint"), log.signers(len(log.raw)))
    equal(len(head.signers), len(log.signers(len(log.raw))), "keys that signed the checkpoint")
    levels = [[leaf_hash(entry) for entry in log.raw]]
    need(tree_root(levels[0]) == head.root, "the root of all entries is another than the signed one")
    while len(levels[-1]) >= 256:
        below = levels[-1]
        levels.append([tree_root(below[at : at + 256]) for at in range(0, len(below) - 255, 256)])
    rows = {str(level): hashes for level, hashes in enumerate(levels)}
    rows["entries"] = [len(one).to_bytes(2, "big") + one for one in log.raw]
    wanted = {
        tile_path(level, start // 256, min(256, len(row) - start))
        for level, row in rows.items()
        for start in range(0, len(row), 256)
    }
    there = {path for path in place.files() if path.startswith("log/tile/")}
    need(wanted <= there, f"{min(wanted - there, default='')} is missing")
    for path in sorted(there):
        found = re.fullmatch(
            r"log/tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?", path
        )
        level, number, width = found.groups() if found else ("", "0", None)
        start, count = 256 * int(re.sub("[x/]", "", number)), int(width or 256)
        part = rows.get(level, [])[start : start + count]
        need(
            tile_path(level, start // 256, count) == path and len(part) == count,
            f"{show(path)} is no tile of this log",
        )
        need(place.read(path) == b"".join(part), f"{path} is not what the entries give")
    return f"{len(there)} tiles and bundles give the signed root of {len(log.raw)} entries"


def check_heads(place: Place, log: Log) -> str:
    """Every size ever signed is the end of a publication, and its file has the root of the entries up to it."""
    hashes = [leaf_hash(entry) for entry in log.raw]
    there = {path for path in place.files() if path.startswith("log/heads/")}
    equal(sorted(there), sorted(f"log/heads/{size}" for size in log.ends), "files in log/heads/")
    for size in log.ends:
        line = f"{size} {base64.b64encode(tree_root(hashes[:size])).decode()}\n"
        equal(place.read(f"log/heads/{size}"), line.encode(), f"log/heads/{size}")
    return f"{len(there)} heads"


def check_order(log: Log) -> str:
    """Publications follow each other in time; each has the order of formats.md, and its as-of table last."""
    equal(log.entries[0]["type"], "method", "type of the first entry")
    old, last = log.entries[-1], (0, "", 0, 0)
    for index, entry in enumerate(log.entries):
        where, place = f"entry {index}", place_of(entry)
        if old["type"] == "asof":
            need(
                not index or instant(old["time"]) < instant(entry["time"]), f"{where}: the time does not rise"
            )
            last = (0, "", 0, 0)
        else:
            equal(entry["time"], old["time"], f"{where}: time, within one publication")
        if place is not None:
            repeated = last == place and entry["type"] in ("method", "notice")
            need(last < place or repeated, f"{where}: {entry['type']} out of order")
            last = place
        old = entry
    return f"{len(log.ends)} publications, {len(log.entries)} entries"


def place_of(entry: Json) -> tuple[int, str, int, int] | None:
    """Return what the entries of one publication are sorted by: kind, date, kind again, series; None: anywhere.

    Of marks: kind, date and reference, version, state.
    """
    kind = entry["type"]
    if kind in ("raw", "point", "nodata", "prices"):
        series = SERIES.index(entry["series"]) if entry.get("series") in SERIES else len(SERIES)
        return 2, entry["date"], {"raw": 0, "prices": 2}.get(kind, 1), series
    if kind == "mark":
        version, state = int(entry["mark_version"]), list(MARK_STATES).index(entry["state"])
        return 3, f"{entry['date']} {entry['reference']}", version, state
    places = {"method": 1, "notice": 4, "asof": 5}
    return (places[kind], "", 0, 0) if kind in places else None


def is_point(entry: Json) -> bool:
    """Return whether an entry is of a record."""
    return entry["type"] in ("point", "nodata") and "record_sha256" in entry


def check_vintages(log: Log) -> str:
    """Vintages of (series, methodology, date) are dense, and each as-of table follows from the entries before it."""
    force: dict[tuple[str, ...], str] = {}
    count: dict[tuple[str, ...], int] = {}
    for index, entry in enumerate(log.entries):
        if is_point(entry):
            key = entry["series"], entry["methodology"], entry["date"]
            equal(entry["vintage"], str(count.get(key, 0)), f"entry {index}: vintage of {' '.join(key)}")
            count[key] = count.get(key, 0) + 1
            if entry["stage"] != "informational":
                names = ("vintage", "stage", "quality", "value", "record_sha256")
                force[key] = " ".join([*key, *(entry.get(name, "-") for name in names)]) + "\n"
        elif entry["type"] == "asof":
            found = [entry["known_at"], entry["vintages"], entry["sha256"]]
            table = "".join(sorted(force.values())).encode()
            equal(found, [entry["time"], str(len(force)), digest(table)], f"entry {index}: as-of table")
    return f"{sum(count.values())} vintages of {len(count)} points"


def check_marks(place: Place, log: Log) -> str:
    """Marks: each has the value of what it rests on, two persons behind it, and follows those printed before."""
    last: dict[tuple[str, ...], Json] = {}
    count = 0
    for index, entry in enumerate(log.entries):
        if entry["type"] == "mark":
            at, count = f"entry {index}", count + 1
            check_value_of_mark(place, log, entry, at)
            persons = {entry["preparer_pseudonym"], entry["approver_pseudonym"]}
            need(len(persons) == 2, f"{at}: one person has prepared and approved the mark")
            key = entry["reference"], entry["methodology"], entry["date"]
            check_history_of_mark(entry, last.get(key), at)
            last[key] = entry
    return f"{count} marks of {len(last)} references and dates"


def check_value_of_mark(place: Place, log: Log, entry: Json, at: str) -> None:
    """A mark rests on a final value of its reference and methodology that an earlier publication has, of a fit date."""
    number, reference = int(entry["source_point_index"]), entry["reference"]
    need(
        number < len(log.entries) and instant(log.entries[number]["time"]) < instant(entry["time"]),
        f"{at}: source_point_index {show(str(number))} is in no earlier publication",
    )
    source, what = log.entries[number], f"{at}: entry {number}, which it rests on"
    if reference.startswith("model:"):
        equal(source["type"], "prices", f"{what}: type")
        table = prices_table(place, source["path"], source["sha256"])
        rows = [row for row in table["prices"] if row["constituent"] == reference[6:]]
        need(rows, f"{what}: {source['path']} does not list {reference[6:]}")
        methodology, value = table["methodology"], rows[0]["price_usd_per_mtok"]
    else:
        need(is_point(source) and source["series"] == reference, f"{what}: no value of {show(reference)}")
        methodology, value = source["methodology"], source.get("value", "none")
    equal(methodology, entry["methodology"], f"{what}: methodology")
    equal(source["stage"], "final", f"{what}: stage")
    equal([entry["value"], entry["unit"]], [value, "USD_PER_MTOK_OUTPUT"], f"{at}: value of the mark")
    age, level = day(entry["date"]) - day(source["date"]), entry["fallback_level"]
    fit = {"F0": age == 0, "F1": age == 0, "F3": 0 < age <= CARRY_DAYS_MAX, "F5": age >= 0}
    need(fit[level], f"{what}: its date {source['date']} is not fit for level {level} of {entry['date']}")


def check_history_of_mark(entry: Json, last: Json | None, at: str) -> None:
    """A mark is printed, then upheld, corrected or locked, and says the same until it is corrected."""
    state, before = entry["state"], last["state"] if last else "nothing"
    need(state in MARK_STATES.get(before, ("published",)), f"{at}: {state} cannot follow {before}")
    persons = "preparer_pseudonym", "approver_pseudonym"
    if last and state == "corrected":
        need(int(entry["mark_version"]) > int(last["mark_version"]), f"{at}: no greater version than before")
        need(entry["source_point_index"] != last["source_point_index"], f"{at}: corrected to the same value")
        both = {entry[name] for name in persons} & {last[name] for name in persons}
        need(not both, f"{at}: a person behind the version before is behind this one")
    elif last:
        names = {name.rstrip("?") for name in ENTRIES["mark"]} - {"state"}
        for name in sorted(names - ({"reasons_sha256"} if state == "upheld" else set())):
            equal(entry.get(name), last.get(name), f"{at}: {name}, which was printed before")


def check_files(place: Place, log: Log) -> str:
    """What method, raw and prices entries name is there, and points go by the method in force."""
    method: Json = {}
    days = set()
    for index, entry in enumerate(log.entries):
        at, kind = f"entry {index}", entry["type"]
        if kind == "method":
            need(
                any(entry[name] != method.get(name) for name in DIGESTS),
                f"{at}: a method that changes nothing",
            )
            place.read_digest(f"rulebooks/{entry['rulebook_sha256']}.md", entry["rulebook_sha256"])
            place.read_digest(f"policies/{entry['policy_sha256']}.toml", entry["policy_sha256"])
            method = entry
        elif kind == "raw":
            need(entry["date"] not in days, f"{at}: raw of {entry['date']} a second time")
            days.add(entry["date"])
            path = f"raw/{entry['date']}/{entry['sha256']}.json"
            rows = read_named(place, path, entry["sha256"], RAW)
            equal(entry["captures"], str(len(rows)), f"{at}: captures")
            need(
                all(row["captured_at"].startswith(entry["date"]) for row in rows),
                f"{path}: a capture of another day",
            )
        elif kind == "prices":
            table = prices_table(place, entry["path"], entry["sha256"])
            found = [entry["date"], entry["stage"], entry["constituents"]]
            equal(
                found, [table["date"], table["stage"], str(len(table["prices"]))], f"{at}: date, stage, rows"
            )
        elif is_point(entry) and entry["methodology"] == method.get("methodology"):
            for name in ("rules_sha256", "parameters_sha256"):
                equal(entry[name], method[name], f"{at}: {name}, beside the method in force")
    place.read_digest("rulebook.md", method["rulebook_sha256"])
    place.read_digest("policy.toml", method["policy_sha256"])
    return f"methods, captures of {len(days)} days, tables of prices"


def check_sums(place: Place, log: Log) -> str:
    """SHA256SUMS is signed by the key in force and lists all files but log/, proofs/ and itself."""
    text, _ = open_note(place.read("SHA256SUMS"), (log.keys[-1][1],))
    sums: dict[str, str] = {}
    for line in text.splitlines():
        found = re.fullmatch(rf"({SHA256})  ({PATH})", line)
        if found is None or found[2] <= max(sums, default=""):
            raise Refused(f"line {show(line)}: not `<sha256>  <path>`, or not sorted by path")
        sums[found[2]] = found[1]
    there = {path for path in place.files() if not re.match("(log|proofs)/", path)} - {"SHA256SUMS"}
    need(
        there <= sums.keys(),
        f"not listed: {', '.join(show(path) for path in sorted(there - sums.keys())[:5])}",
    )
    for path, expected in sums.items():
        place.read_digest(path, expected)
    return f"{len(sums)} files"


def check_logged(place: Place, path: str, log: Log, index: int) -> None:
    """The proof file of an entry is of its own index, under the checkpoint of its own publication."""
    size = min(end for end in log.ends if end > index)
    found, head = check_proof(place.read(path), log.raw[index], log.signers(size))
    equal([found, head.size], [index, size], "index of the entry, size of the log")


def check_complete(record: Json, in_force: dict[str, Json]) -> None:
    """R-8.2, R-8.3, R-11: `earlier` names every printed one in force that averages, index and move rest on."""
    named = {one["date"] for one in record.get("earlier", [])}
    printed = [date for date, one in in_force.items() if "value" in one and date < record["date"]]
    rests = {date for date in printed if day(date) > day(record["date"]) - 30} | set(sorted(printed)[-1:])
    need(rests <= named, f"`earlier` does not name {', '.join(sorted(rests - named))}")


def check_publication(report: Report, place: Place, key: Key) -> None:
    """Check a whole publication: the log, and every record as in a parcel."""
    unknown: set[str] = set()
    log = report.run("entries and keys", "log/", read_log, place, key, unknown)
    if log is None:
        return
    report.run("checkpoint and tiles (Ed25519, RFC 6962)", "log/", check_tiles, place, log)
    report.run("heads", "log/heads/", check_heads, place, log)
    report.run("order of entries", "log/", check_order, log)
    report.run("vintages and as-of tables", "log/", check_vintages, log)
    report.run("marks", "log/", check_marks, place, log)
    report.run("files of entries", "log/", check_files, place, log)
    report.run("sums", "SHA256SUMS", check_sums, place, log)
    force: dict[str, dict[str, Json]] = {}  # by series and date, so far
    expected = set()
    for index, entry in enumerate(log.entries):
        name = entry["path"][: -len(".json")] if entry["type"] == "prices" else ""
        if entry["type"] == "mark":
            name = f"{entry['date']}.{entry['mark_version']}.{entry['state']}"
            name = f"marks/{entry['reference'].replace('model:', 'model/')}/{name}"
        if is_point(entry):
            name = f"{entry['series']}/{entry['date']}.{entry['vintage']}"
            expected.add(f"records/{name}.json")
            check_point(report, Case(place, f"records/{name}.json", entry, force, "", "", ""), unknown)
        if name:
            expected.add(f"proofs/{name}.tlog-proof")
            report.run(
                "proofs",
                f"proofs/{name}.tlog-proof",
                check_logged,
                place,
                f"proofs/{name}.tlog-proof",
                log,
                index,
            )
    strange = {path for path in place.files() if re.match("(records|proofs)/", path)} - expected
    found = ", ".join(show(path) for path in sorted(strange)[:5])
    report.run("nothing unlogged", "records/, proofs/", need, not strange, f"in no entry of the log: {found}")
    if unknown:
        report.remarks.append(
            f"fields and types this program does not know: {', '.join(sorted(unknown)[:10])}"
        )
    dates = sorted({entry["date"] for entry in log.entries if "date" in entry}) or ["none"]
    report.remarks.insert(0, f"{show(key.name)}: {len(dates)} dates, {dates[0]} to {dates[-1]}")


def check_point(report: Report, case: Case, unknown: set[str]) -> None:
    """Check the record of an entry (in `record` of this case) against what is in force so far (in `earlier`)."""
    entry, at = case.record, case.at
    record, raw = report.run("record", at, read_record, case.place, at, unknown) or (None, b"")
    if record is None:
        return
    report.run("entry and record agree", at, check_entry, entry, record, raw)
    force = case.earlier.setdefault(record["series"], {})
    visible = {date: one for date, one in force.items() if instant(one["as_of"]) <= instant(record["as_of"])}
    report.run("earlier records, complete (R-0)", at, check_complete, record, visible)
    named = {one["date"] for one in record.get("earlier", [])}
    earlier = {date: one for date, one in visible.items() if date in named}
    paths = (
        record["observations"]["path"],
        record["prices"]["path"],
        f"policies/{record['policy_sha256']}.toml",
    )
    check_record(report, Case(case.place, at, record, earlier, *paths))
    if record["stage"] != "informational":
        force[record["date"]] = record


# ---- the command line

UNKNOWN_KEY = """
ATTENTION: no key was given. The key used came with what was checked, so this only shows that it agrees with itself.
Get the log's public key from somebody other than the sender, and run this again with --key VKEY."""


def write(report: Report, key: Key | None, given: bool, as_json: bool) -> None:
    """Print what was checked, for people or for programs."""
    failed = sum(not line.ok for line in report.lines)
    said = text_of(key) if key else "none"
    if as_json:
        checks = [line._asdict() for line in report.lines]
        page = {
            "ok": not failed,
            "key": said,
            "key_given": given,
            "remarks": report.remarks,
            "checks": checks,
        }
        print(json.dumps(page, indent=1))
        return
    print("\n".join([*report.remarks, f"key {said}", ""]))
    for what in dict.fromkeys(line.check for line in report.lines):
        lines = [line for line in report.lines if line.check == what]
        bad = [line for line in lines if not line.ok]
        if not bad:
            print(
                f"ok    {what}: "
                + (lines[0].found or lines[0].place if len(lines) == 1 else f"{len(lines)} times")
            )
        for line in bad[:20]:
            print(f"FAIL  {what}: {line.place}: {line.found}")
        if len(bad) > 20:
            print(f"FAIL  {what}: and {len(bad) - 20} more")
    print(
        f"\n{len(report.lines) - failed} checks ok, {failed} failed" + ("" if given else "\n" + UNKNOWN_KEY)
    )


def check_path(path: str, key: Key | None) -> tuple[Report, Key | None]:
    """Return the report on a parcel or publication, and the key it was checked with."""
    report = Report()
    place = report.run("opened", path, Place, path)
    if place is not None:
        beside = report.run(
            "public key", "vkey", lambda: parse_key(place.read("vkey").decode("ascii").strip("\n"))
        )
        if key is not None and beside is not None and beside != key:
            report.remarks.append("the vkey beside it is another than the one given")
        key = key or beside
    if place is not None and key is not None:
        whole = any(path.startswith("log/") for path in place.files())
        (check_publication if whole else check_parcel)(report, place, key)
    return report, key


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description="Check a parcel of mtok, or a whole publication.")
    here = Path(__file__).resolve().parent
    parser.add_argument(
        "path", nargs="?", default=str(here), help="folder or .zip; default: where this file stands"
    )
    parser.add_argument("--key", metavar="VKEY", help="the log's public key, from somebody you trust")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    asked = parser.parse_args(arguments)
    if not Path(asked.path).exists():
        parser.error(f"no such file or folder: {show(asked.path)}")
    try:
        given = parse_key(asked.key) if asked.key is not None else None
    except Refused as error:
        parser.error(f"--key: {error}")
    report, key = check_path(asked.path, given)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a console may have fewer characters
    write(report, key, given is not None, asked.json)
    return 0 if all(line.ok for line in report.lines) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

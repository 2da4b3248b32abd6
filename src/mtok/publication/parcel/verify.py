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
from fractions import Fraction
from math import isqrt
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Set, Tuple

FILE_BYTES_MAX = 64 * 2**20  # one file of a parcel or publication
ZIP_BYTES_MAX = 256 * 2**20  # all of a zip, unpacked
ZIP_FILES_MAX = 10_000
LOG_ENTRIES_MAX = 10_000_000

Json = Dict[str, Any]


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
    need(found == expected, f"{what} is {show(found)}; expected {show(expected)}")


# ---- text forms (formats.md, Conventions)

INTEGER = r"-?(0|[1-9][0-9]{0,59})"
COUNT = r"0|[1-9][0-9]{0,59}"
DECIMAL = r"-?(0|[1-9][0-9]{0,59})\.[0-9]{1,120}"
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
INSTANT = DATE + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,8}[1-9])?Z"
SHA256 = r"[0-9a-f]{64}"
NAME = r"[A-Za-z0-9._-]{1,80}"
PATH = r"(?!/)(?!.*//)(?!(.*/)?\.{1,2}(/|$))[A-Za-z0-9._/-]{1,300}(?<!/)"
TEXT = r"[\s\S]{0,10000}"
TRUE = "true"


def digest(raw: bytes) -> str:
    """Return the sha256 of a file's bytes as it is written."""
    return hashlib.sha256(raw).hexdigest()


def day(text: str) -> int:
    """Return a date as a day number. Raises Refused for a day no calendar has."""
    try:
        return dt.date.fromisoformat(text).toordinal()
    except ValueError:
        raise Refused(f"{show(text)} is no date") from None


def instant(text: str) -> Tuple[int, int, str]:
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


def _object(pairs: List[Tuple[str, object]]) -> Dict[str, object]:
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
Point = Tuple[int, int, int, int]  # extended coordinates: x = X/Z, y = Y/Z, xy = T/Z
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


def point_of(raw: bytes) -> Optional[Point]:
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
_verified: Dict[Tuple[bytes, bytes, bytes], bool] = {}


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
    signers: Tuple[Key, ...]


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


def open_note(raw: bytes, keys: Tuple[Key, ...]) -> Tuple[str, Tuple[Key, ...]]:
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


def open_checkpoint(raw: bytes, keys: Tuple[Key, ...]) -> Checkpoint:
    """Return the head of a log that a checkpoint says."""
    text, signers = open_note(raw, keys)
    lines = text.split("\n")
    need(len(lines) == 4, "a checkpoint has three lines: origin, size, root")
    need(re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]), f"size {show(lines[1])} of a log")
    need(all(key.name == lines[0] for key in signers), f"origin {show(lines[0])} is not the name of the key")
    tree_root = from_base64(lines[2])
    need(len(tree_root) == 32, "a root has 32 bytes")
    return Checkpoint(lines[0], int(lines[1]), tree_root, signers)


# ---- the tree (RFC 6962, 2.1) and proofs (c2sp.org/tlog-proof)


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(hashes: List[bytes]) -> bytes:
    """Return the root over hashes: split at the greatest power of two below their number."""
    if not hashes:
        return hashlib.sha256().digest()
    while len(hashes) > 1:  # pairing level by level, the odd one moved up, is that split
        paired = [node_hash(*hashes[place : place + 2]) for place in range(0, len(hashes) - 1, 2)]
        hashes = paired + hashes[len(hashes) & ~1 :]
    return hashes[0]


def root_by_proof(leaf: bytes, index: int, size: int, path: List[bytes]) -> bytes:
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


def check_proof(raw: bytes, entry: bytes, keys: Tuple[Key, ...]) -> Tuple[int, Checkpoint]:
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
        self.path = path
        self.zip: Optional[zipfile.ZipFile] = None
        if not os.path.isdir(path):
            self._open_zip(path)

    def _open_zip(self, path: str) -> None:
        try:
            need(os.path.getsize(path) <= ZIP_BYTES_MAX, "the zip is too large")
            with open(path, "rb") as file:
                self.zip = zipfile.ZipFile(io.BytesIO(file.read()))
        except Refused:
            raise
        except Exception as error:
            raise Refused(f"no folder and no zip that can be read: {type(error).__name__}") from None
        names = self.zip.namelist()
        need(len(names) <= ZIP_FILES_MAX, f"more than {ZIP_FILES_MAX} files in the zip")
        need(len(set(names)) == len(names), "a name stands twice in the zip")
        need(
            sum(one.file_size for one in self.zip.infolist()) <= ZIP_BYTES_MAX,
            "unpacked, the zip is too large",
        )
        bad = [name for name in names if not re.fullmatch(PATH, name.rstrip("/"))]
        need(not bad, f"a path in the zip: {show(bad[:1])}")

    def files(self) -> List[str]:
        """Return the paths of all files, sorted; what is not a regular file ends with a star."""
        if self.zip is not None:
            return sorted(name for name in self.zip.namelist() if not name.endswith("/"))
        found = []
        for folder, folders, names in os.walk(self.path):
            for name in names + [one for one in folders if os.path.islink(os.path.join(folder, one))]:
                path = os.path.join(folder, name)
                regular = stat.S_ISREG(os.lstat(path).st_mode)
                found.append(os.path.relpath(path, self.path).replace(os.sep, "/") + "*" * (not regular))
        return sorted(found)

    def has(self, path: str) -> bool:
        """Return whether there is such a file or folder."""
        if self.zip is not None:
            return any(name == path or name.startswith(path + "/") for name in self.zip.namelist())
        return os.path.lexists(os.path.join(self.path, *path.split("/")))

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises Refused where there is none, or none to be read."""
        need(re.fullmatch(PATH, path), f"path {show(path)}")
        try:
            if self.zip is not None:
                with self.zip.open(path) as packed:
                    raw = packed.read(FILE_BYTES_MAX + 1)
            else:
                full = os.path.join(self.path, *path.split("/"))
                need(stat.S_ISREG(os.lstat(full).st_mode), f"{path} is no regular file")
                with open(full, "rb") as file:
                    raw = file.read(FILE_BYTES_MAX + 1)
        except Refused:
            raise
        except (KeyError, FileNotFoundError, NotADirectoryError):
            raise Refused(f"{path} is missing") from None
        except Exception as error:  # a damaged zip raises many things
            raise Refused(f"{path} cannot be read: {type(error).__name__}") from None
        need(len(raw) <= FILE_BYTES_MAX, f"{path} has more than {FILE_BYTES_MAX} bytes")
        return raw

    def read_digest(self, path: str, expected: str) -> bytes:
        """Return a file's bytes. Raises Refused unless they have the digest."""
        raw = self.read(path)
        equal(digest(raw), expected, f"{path}: sha256")
        return raw


# ---- shapes (records.md, formats.md): a pattern is a text, [x] a list, {} an object; a name with ? may be absent

_CAPTURES = [r"c[1-9][0-9]{0,8}"]
_PRICED = {"constituent": TEXT, "price_seconds": COUNT, "price_usd_per_mtok": DECIMAL, "rung": NAME}
_PRICED_FULL = {**_PRICED, "age_days": INTEGER, "captures": _CAPTURES}
_ROW = {"tokens": COUNT, "weight_share": DECIMAL, "contribution_usd_per_mtok": DECIMAL}
_CAPTURE = {"captured_at": INSTANT, "collector": TEXT, "rank": COUNT, "sha256": SHA256}
_RANKINGS = {"as_of": INSTANT, "sha256": SHA256}
_FILE = {"path": PATH, "sha256": SHA256}
_FORMS = ("price", "mix", "entry", "exit")
_EFFECTS = {f"{name}?": DECIMAL for name in (*_FORMS, "replacement")}
_COUNTS = (
    "token_weight constituents observed_tokens direct_tokens fallback_tokens imputed_tokens missing_tokens"
)
_MARKET = "market_tail_tokens market_tokens named_rows smallest_named_tokens absent_constituents"
_SHARES = (
    "price_coverage missing_price_share imputed_token_share fallback_share conflict_share unpaid_share ineligible_share "
    "top_constituent_share hhi effective_constituents market_tail_share truncation_exposure unseen_ratio truncation_low "
    "truncation_high first_party_gap"
)
STAGES = "prelim|final|informational|backfill"
ADDED = (
    "stage vintage known_at supersedes reason determination_sha256 observations prices policy_sha256".split()
)

RECORD = {
    **{name: TEXT for name in ("unit", "volume_source")},
    **{
        "series": NAME,
        "date": DATE,
        "methodology": NAME,
        "as_of": INSTANT,
        "w": COUNT,
        "n?": COUNT,
        "value?": DECIMAL,
    },
    **{
        "origin?": NAME,
        "backcast?": TRUE,
        "quality": "good|degraded|estimated|withheld",
        "reasons": [NAME],
        "notes": [NAME],
    },
    "diagnostics": {
        **{name: COUNT for name in (_COUNTS + " unpaid_tokens ineligible_tokens").split()},
        **{name + "?": COUNT for name in _MARKET.split()},
        **{name + "?": DECIMAL for name in _SHARES.split()},
        "weight_basis": "total_tokens",
    },
    "constituents": [{**_PRICED_FULL, **_ROW}],
    "left_out?": [
        {"constituent": TEXT, "tokens": COUNT, "reason": "ineligible|unpaid|missing", "captures?": _CAPTURES}
    ],
    "conflicts?": [
        {"constituent": TEXT, "grade": "major|minor", "price_seconds": COUNT}
        | {"other_collector": TEXT, "other_price_seconds": COUNT}
    ],
    "discarded?": [{"constituent": TEXT, "capture": _CAPTURES[0], "reason": NAME}],
    "absent?": [_PRICED_FULL],
    "without_volume?": [TEXT],
    **{f"average_{days}d?": DECIMAL for days in (7, 30)},
    **{f"average_{days}d_days?": COUNT for days in (7, 30)},
    **{"price_index?": DECIMAL, "price_index_exact?": rf"{DECIMAL}|100"},
    "move?": {
        **{"from_date": DATE, "from_value": DECIMAL, "from_sha256": SHA256, "change": DECIMAL},
        **_EFFECTS,
        "factors?": {name: DECIMAL for name in _FORMS},
        "constituents": [{"constituent": TEXT, "cause?": NAME, **_EFFECTS}],
        **{f"{which}_by_cause?": {"*": DECIMAL} for which in ("entry", "exit")},
    },
    "inputs": {
        "captures": [{"id": _CAPTURES[0], **_CAPTURE}],
        "seen": [{"date": DATE, "captures": COUNT, "sha256": SHA256}],
        "rankings?": _RANKINGS,
        "rejected_rankings?": [{**_RANKINGS, "reason": NAME}],
        "endpoints?": [{"constituent": TEXT, "captured_at": INSTANT, "sha256": SHA256}],
    },
    "earlier?": [{"date": DATE, "sha256": SHA256}],
    **{"rules_sha256": SHA256, "parameters_sha256": SHA256},
    **{"stage": STAGES, "vintage": COUNT, "known_at": INSTANT, "supersedes?": COUNT, "reason?": NAME},
    **{"determination_sha256": SHA256, "observations": _FILE, "prices": _FILE, "policy_sha256": SHA256},
}
PRICE_ROW = {
    **_PRICED,
    "age_days": INTEGER,
    "captures": COUNT,
    "series": NAME,
    "sha256": SHA256,
    "tokens?": COUNT,
}
PRICES = {"date": DATE, "as_of": INSTANT, "methodology": NAME, "stage": STAGES, "prices": [PRICE_ROW]}
RAW = [
    {"bytes": COUNT, "captured_at": INSTANT, "collector": TEXT, "source": TEXT, "sha256?": SHA256}
    | {"http_status?": COUNT, "failure?": TEXT}
]

_HEAD = {"v": "1", "type": NAME, "time": INSTANT}
_POINT = {
    **_HEAD,
    **{
        "series": NAME,
        "methodology": NAME,
        "date": DATE,
        "vintage": COUNT,
        "stage": STAGES,
        "unit": TEXT,
        "quality": NAME,
    },
    **{
        "record_sha256": SHA256,
        "rules_sha256": SHA256,
        "parameters_sha256": SHA256,
        "supersedes?": COUNT,
        "reason?": NAME,
    },
}
_DIGESTS = ("rulebook_sha256", "rules_sha256", "parameters_sha256", "policy_sha256")
ENTRIES = {
    "method": {**_HEAD, "methodology": NAME, "effective_from": DATE, "announced_at": TEXT, "reason": TEXT}
    | {name: SHA256 for name in _DIGESTS},
    "raw": {**_HEAD, "date": DATE, "captures": COUNT, "sha256": SHA256},
    "point": {**_POINT, "value": DECIMAL},
    "nodata": {**_POINT, "reasons": [NAME]},
    "nodata without a record": {
        **_HEAD,
        "series": NAME,
        "methodology": NAME,
        "date": DATE,
        "stage": STAGES,
        "failure": TEXT,
    },
    "prices": {**_HEAD, "date": DATE, "stage": STAGES, "constituents": COUNT, "path": PATH, "sha256": SHA256},
    "asof": {**_HEAD, "known_at": INSTANT, "vintages": COUNT, "sha256": SHA256},
    "notice": {
        **{**_HEAD, "kind": NAME, "text": TEXT, "series?": NAME, "first_date?": DATE, "last_date?": DATE},
        **{name + "?": TEXT for name in ("old_key", "new_key", "old_signature", "new_signature")},
    },
}


def shape(value: Any, wanted: Any, where: str, unknown: Set[str]) -> None:
    """Raise Refused unless a value has the shape; the names of fields no document has are added to `unknown`."""
    if isinstance(wanted, str):
        found = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
        need(isinstance(found, str) and re.fullmatch(wanted, found), f"{where}: {show(value)}")
        if wanted in (DATE, INSTANT):
            (day if wanted == DATE else instant)(value)
    elif isinstance(wanted, list):
        need(isinstance(value, list), f"{where} is no list")
        for place, one in enumerate(value):
            shape(one, wanted[0], f"{where}[{place}]", unknown)
    elif "*" in wanted:
        need(isinstance(value, dict), f"{where} is no object")
        shape(list(value.values()), [wanted["*"]], where, unknown)
    else:
        need(isinstance(value, dict), f"{where} is no object")
        for name, inner in wanted.items():
            if name.rstrip("?") in value:
                shape(value[name.rstrip("?")], inner, f"{where}.{name.rstrip('?')}", unknown)
            else:
                need(name.endswith("?"), f"{where}.{name} is missing")
        unknown |= {show(name) for name in value if name not in wanted and name + "?" not in wanted}


def read_shape(raw: bytes, wanted: Any, where: str, unknown: Set[str]) -> Any:
    """Return canonical JSON of a shape."""
    value = read_json(raw)
    shape(value, wanted, where, unknown)
    return value


# ---- arithmetic (R-8 … R-11), on fractions

SECONDS = 86_400 * 10**12  # price × seconds, in 10⁻¹⁸ USD a token, per USD a million tokens
PRICED = {
    "direct": "direct",
    "fallback": "fallback",
    "carried": "imputed",
    "launch": "imputed",
}  # R-6: what a rung counts as


def usd(row: Json) -> Fraction:
    """Return a row's price of the day in USD per million."""
    return Fraction(int(row["price_seconds"]), SECONDS)


def basket(record: Json) -> Dict[str, Tuple[int, Fraction]]:
    """Return tokens and price of each priced constituent."""
    return {row["constituent"]: (int(row["tokens"]), usd(row)) for row in record["constituents"]}


def mean(rows: Dict[str, Tuple[int, Fraction]]) -> Fraction:
    """Return the mean price of a basket by tokens: U of R-8.1 and R-11."""
    return sum((tokens * price for tokens, price in rows.values()), Fraction()) / sum(
        tokens for tokens, _ in rows.values()
    )


def parameters_of(raw: bytes) -> Dict[str, Any]:
    """Return the parameters, `section.name`: an int or a ratio. Reads of TOML what the file uses: `name = { value = … }`."""
    found: Dict[str, Any] = {}
    section = ""
    for line in raw.decode("utf-8", "replace").splitlines():
        header = re.fullmatch(r"\[([a-z_]+)\]", line.strip())
        section = header[1] if header else section
        entry = re.match(
            r"([a-z_]+) = \{ value = (?:\[([0-9]{1,9}), ([1-9][0-9]{0,8})\]|([0-9]{1,9})),", line
        )
        if entry:
            found[f"{section}.{entry[1]}"] = (
                Fraction(int(entry[2]), int(entry[3])) if entry[2] else int(entry[4])
            )
    return found


def check_rows(record: Json) -> str:
    """R-6, R-7, R-8.1: rows are distinct, every derived column of theirs, prices by rung, conflicts."""
    rows, out, absent = record["constituents"], record.get("left_out", []), record.get("absent", [])
    names = [row["constituent"] for row in rows + out + absent]
    need(len(set(names)) == len(names), "a constituent stands twice")
    need(all(usd(row) > 0 for row in rows + absent), "a priced constituent without a positive price")
    need(all(int(row["tokens"]) > 0 for row in rows + out), "a row without tokens")
    w = sum(int(row["tokens"]) for row in rows)
    for row in rows + absent:
        equal(
            row["price_usd_per_mtok"],
            rounded(usd(row), 6),
            f"price_usd_per_mtok of {show(row['constituent'])}",
        )
    for row in rows:
        share = Fraction(int(row["tokens"]), w)
        equal(row["weight_share"], rounded(share, 6), f"weight_share of {show(row['constituent'])}")
        contribution = rounded(share * usd(row), 6)
        equal(
            row["contribution_usd_per_mtok"],
            contribution,
            f"contribution_usd_per_mtok of {show(row['constituent'])}",
        )
    check_conflicts(record)
    return f"{len(rows)} constituents, {len(out)} rows left out, {len(absent)} absent"


def check_conflicts(record: Json) -> None:
    """R-7: a conflict is of a direct price, and its grade is by how far the other price lies from it."""
    direct = {
        row["constituent"]: row["price_seconds"] for row in record["constituents"] if row["rung"] == "direct"
    }
    conflicts = record.get("conflicts", [])
    need(len({one["constituent"] for one in conflicts}) == len(conflicts), "a conflict stands twice")
    for one in conflicts:
        equal(
            one["price_seconds"],
            direct.get(one["constituent"]),
            f"price in conflict of {show(one['constituent'])}",
        )
        used, other = int(one["price_seconds"]), int(one["other_price_seconds"])
        grade = (
            "major" if abs(used - other) * 20 > used else "minor" if abs(used - other) * 200 > used else None
        )
        equal(one["grade"], grade, f"grade of the conflict of {show(one['constituent'])}")


def check_value(record: Json) -> str:
    """R-8.1: N, W and the value, divided once and rounded once."""
    rows = basket(record)
    w = sum(tokens for tokens, _ in rows.values())
    equal(record["w"], str(w), "w")
    if record["quality"] == "withheld":
        need("value" not in record and "n" not in record, "a withheld record with a value")
        return "withheld: no value, no N"
    n = sum(int(row["tokens"]) * int(row["price_seconds"]) for row in record["constituents"])
    equal(record.get("n"), str(n), "n")
    need(w, "a value without tokens")
    equal(record.get("value"), rounded(Fraction(n, w * SECONDS), 6), "value")
    return f"value = N ÷ (W · 86,400 · 10¹²) = {record['value']}"


def bound(record: Json, most: int, other: int, *, high: bool) -> Fraction:
    """R-9, Extremes: the mean if absent constituents had tokens, the dearest (cheapest) first while it moves the mean on."""
    rows = basket(record)
    tokens, money = (
        sum(count for count, _ in rows.values()),
        sum((c * p for c, p in rows.values()), Fraction()),
    )
    for place, price in enumerate(sorted((usd(row) for row in record.get("absent", [])), reverse=high)):
        more = min(most, max(0, other - place * most))
        if not (price > money / tokens if high else price < money / tokens):
            break
        tokens, money = tokens + more, money + more * price
    return money / tokens


def diagnostics(record: Json, parameters: Dict[str, Any]) -> Json:
    """R-9: every diagnostic that follows from the record; of the market T, `other`, all tokens and the named rows are taken."""
    said, rows = record["diagnostics"], record["constituents"]
    by_class = {name: 0 for name in ("direct", "fallback", "imputed", "missing", "unpaid", "ineligible")}
    for row in rows:
        by_class[PRICED[row["rung"]]] += int(row["tokens"])
    for row in record.get("left_out", []):
        by_class[row["reason"]] += int(row["tokens"])
    priced = sum(int(row["tokens"]) for row in rows)
    observed = sum(by_class.values())
    needing = priced + by_class["missing"]
    disputed = {one["constituent"] for one in record.get("conflicts", []) if one["grade"] == "major"}
    conflict = sum(int(row["tokens"]) for row in rows if row["constituent"] in disputed)
    shares = [Fraction(int(row["tokens"]), priced) for row in rows]
    squares = sum((share * share for share in shares), Fraction())
    ratios = {
        "price_coverage": (priced, needing),
        "missing_price_share": (by_class["missing"], needing),
        "imputed_token_share": (by_class["imputed"], priced),
        "fallback_share": (by_class["fallback"], priced),
        "conflict_share": (conflict, priced),
        "unpaid_share": (by_class["unpaid"], observed),
        "ineligible_share": (by_class["ineligible"], observed),
    }
    found = {f"{name}_tokens": str(tokens) for name, tokens in by_class.items()}
    found |= {"token_weight": str(priced), "observed_tokens": str(observed), "constituents": str(len(rows))}
    found["weight_basis"] = "total_tokens"
    if shares:
        found |= {"top_constituent_share": rounded(max(shares), 6), "hhi": rounded(squares, 6)}
        found["effective_constituents"] = rounded(1 / squares, 6)
    if "rankings" in record["inputs"]:
        need(
            "named_rows" in said and "smallest_named_tokens" in said,
            "named_rows or smallest_named_tokens is missing",
        )
        found["absent_constituents"] = str(len(record.get("absent", [])))
        most, tail = int(said["smallest_named_tokens"]), said.get("market_tail_tokens")
        short = int(said["named_rows"]) < parameters["capture.named_rows_min"]
        need(not short or not most, "smallest_named_tokens is not 0 of a short capture")
        if tail is not None:
            ratios["market_tail_share"] = (int(tail), int(said.get("market_tokens", "0")))
        other = int(tail or 0)
        ratios["truncation_exposure"] = (most, priced)
        ratios["unseen_ratio"] = (min(len(record.get("absent", [])) * most, other), priced)
        if record["quality"] != "withheld":
            found["truncation_low"] = rounded(bound(record, most, other, high=False), 6)
            found["truncation_high"] = rounded(bound(record, most, other, high=True), 6)
    return found | {name: rounded(Fraction(a, b), 6) for name, (a, b) in ratios.items() if b}


def check_diagnostics(record: Json, parameters: Dict[str, Any]) -> str:
    """R-9: every diagnostic, and none that should be absent."""
    found = diagnostics(record, parameters)
    taken = {"market_tail_tokens", "market_tokens", "named_rows", "smallest_named_tokens", "first_party_gap"}
    for name in sorted((RECORD["diagnostics"].keys() | {"weight_basis"}), key=str):  # type: ignore[attr-defined]
        plain = name.rstrip("?")
        if plain not in taken:
            equal(record["diagnostics"].get(plain), found.get(plain), f"diagnostics.{plain}")
    return f"{len(found)} diagnostics; taken as stated: {', '.join(sorted(taken))}"


def check_quality(record: Json, parameters: Dict[str, Any]) -> str:
    """R-10: reasons and status, compared on exact fractions."""
    said, p = (
        record["diagnostics"],
        {name[8:]: v for name, v in parameters.items() if name.startswith("quality.")},
    )
    equal(
        record["volume_source"],
        "rankings-daily",
        "volume_source (of others only what they say is checked elsewhere)",
    )
    tokens = {name: int(said[name]) for name in said if name.endswith("_tokens")}
    w = int(record["w"])
    if "rankings" not in record["inputs"]:
        quality, reasons = "withheld", ["no_volumes"]
    elif w == 0:
        quality, reasons = "withheld", ["no_priced_volume"]
    else:
        coverage = Fraction(w, w + tokens["missing_tokens"])
        exposure = Fraction(tokens["smallest_named_tokens"], w)
        unseen = Fraction(
            min(
                len(record.get("absent", [])) * tokens["smallest_named_tokens"],
                tokens.get("market_tail_tokens", 0),
            ),
            w,
        )
        disputed = {one["constituent"] for one in record.get("conflicts", []) if one["grade"] == "major"}
        conflict = sum(int(row["tokens"]) for row in record["constituents"] if row["constituent"] in disputed)
        withheld = {
            "coverage_below_minimum": coverage < p["coverage_withheld"],
            "truncation": exposure > p["truncation_withheld"],
        }
        other = {
            "truncation": exposure > p["truncation"] or unseen > p["unseen_ratio"],
            "coverage": coverage < p["coverage"],
            "imputed_or_fallback": tokens["imputed_tokens"] + tokens["fallback_tokens"]
            > p["imputed_or_fallback"] * w,
            "conflict": conflict > p["conflict"] * w,
            "few_constituents": len(record["constituents"]) < p["constituents_min"],
            "short_capture": int(said["named_rows"]) < parameters["capture.named_rows_min"],
        }
        reasons = sorted(
            name for name, holds in (withheld if any(withheld.values()) else other).items() if holds
        )
        quality = "degraded" if reasons else "good"
        if tokens["imputed_tokens"] > p["estimated"] * w:
            quality = "estimated"
        if any(withheld.values()):
            quality = "withheld"
    equal(record["reasons"], reasons, "reasons")
    equal(record["quality"], quality, "quality")
    return f"{quality} {' '.join(reasons)}".strip()


def printed_before(record: Json, earlier: Dict[str, Json]) -> Optional[Json]:
    """Return the youngest earlier printed record of the same version, whatever its age."""
    printed = [
        date
        for date, one in earlier.items()
        if "value" in one and one["methodology"] == record["methodology"]
    ]
    return earlier[max(printed)] if printed else None


def check_averages(record: Json, earlier: Dict[str, Json], parameters: Dict[str, Any]) -> str:
    """R-8.2: means of the printed values of 7 and 30 days, absent under four fifths."""
    for days in (7, 30):
        first = day(record["date"]) - days + 1
        values = [
            Fraction(one["value"])
            for one in [*earlier.values(), record]
            if "value" in one and day(one["date"]) >= first
        ]
        enough = "value" in record and len(values) >= parameters["averages.printed_share_min"] * days
        average = rounded(sum(values, Fraction()) / len(values), 6) if enough else None
        equal(
            record.get(f"average_{days}d_days"), str(len(values)), f"average_{days}d_days"
        )  # of withheld days too
        equal(record.get(f"average_{days}d"), average, f"average_{days}d")
    return "7 and 30 days"


def significant(value: Fraction, digits: int) -> int:
    """Return how many decimals give a positive number so many significant digits."""
    places = 0
    while places < 2 * digits and value * 10**places < 10 ** (digits - 1):
        places += 1
    return places


def passed(before: Json, record: Json) -> Tuple[Fraction, Fraction]:
    """R-11: the factors of Laspeyres and Paasche over the continuing constituents."""
    old, new = basket(before), basket(record)
    both = [name for name in old if name in new]
    totals = [
        sum((day_[name][0] * by[name][1] for name in both), Fraction())
        for day_ in (old, new)
        for by in (new, old)
    ]
    return totals[0] / totals[1], totals[2] / totals[3]


def check_index(record: Json, before: Optional[Json], parameters: Dict[str, Any]) -> str:
    """R-8.3 and the notes of R-10: the chained index, `weak_link`, `no_link`, `jump`."""
    notes: List[str] = []
    if "value" not in record:
        need("price_index" not in record and "price_index_exact" not in record, "an index of a withheld day")
        equal(record["notes"], notes, "notes")
        return "none of a withheld day"
    digits, index = parameters["averages.index_digits"], Fraction(100)
    if before is not None:
        old, new = basket(before), basket(record)
        index = Fraction(before.get("price_index_exact", "0"))
        need(index > 0, "the earlier record has no price_index_exact")
        both = old.keys() & new.keys()
        near = day(record["date"]) - day(before["date"]) <= parameters["averages.previous_days"]
        if near and both:
            laspeyres, paasche = passed(before, record)
            square = index**2 * laspeyres * paasche
            index = root(square, significant(root(square, digits), digits))
            held = min(
                Fraction(sum(b[name][0] for name in both), sum(t for t, _ in b.values())) for b in (old, new)
            )
            notes += ["weak_link"] * (held < parameters["averages.weak_link_share"])
        else:
            notes.append("no_link")
        if near and abs(mean(new) - mean(old)) > parameters["quality.jump"] * mean(old):
            notes.append("jump")
    exact = Fraction(record.get("price_index_exact", "0"))
    equal(exact, index, "price_index_exact")  # the first day says 100, later ones all fifty digits
    equal(record.get("price_index"), rounded(index, 6), "price_index")
    equal(sorted(record["notes"]), sorted(notes), "notes")
    return f"{record['price_index']}{', ' * bool(notes)}{' '.join(notes)}"


def cause(name: str, other: Json) -> str:
    """R-11: why a constituent is not priced in the other record."""
    for row in other.get("left_out", []):
        if row["constituent"] == name:
            return str(row["reason"])
    return "no_row" if name in other.get("without_volume", []) else "unlisted"


def move(before: Json, record: Json) -> Tuple[Dict[str, Dict[str, Fraction]], Dict[str, str]]:
    """R-11: the effects by constituent, exact, and the causes of those that entered or left."""
    old, new = basket(before), basket(record)
    causes = {name: cause(name, before) for name in new if name not in old}
    causes |= {name: cause(name, record) for name in old if name not in new}
    w0, w1 = (sum(tokens for tokens, _ in rows.values()) for rows in (old, new))
    both = [name for name in old if name in new]
    if not both:
        value = {name: Fraction(tokens, w1) * price for name, (tokens, price) in new.items()}
        value |= {name: -Fraction(tokens, w0) * price for name, (tokens, price) in old.items()}
        return {name: {"replacement": effect} for name, effect in value.items()}, causes
    stay0, stay1 = {name: old[name] for name in both}, {name: new[name] for name in both}
    c0, c1 = sum(tokens for tokens, _ in stay0.values()), sum(tokens for tokens, _ in stay1.values())
    mean0, mean1 = mean(stay0), mean(stay1)
    effects: Dict[str, Dict[str, Fraction]] = {}
    for name in both:
        (tokens0, p0), (tokens1, p1) = old[name], new[name]
        s0, s1 = Fraction(tokens0, c0), Fraction(tokens1, c1)
        mix = ((p0 + p1) / 2 - (mean0 + mean1) / 2) * (s1 - s0)
        effects[name] = {"price": (s0 + s1) / 2 * (p1 - p0), "mix": mix}
    for name, (tokens, price) in new.items():
        if name not in old:
            effects[name] = {"entry": Fraction(tokens, w1) * (price - mean1)}
    for name, (tokens, price) in old.items():
        if name not in new:
            effects[name] = {"exit": -Fraction(tokens, w0) * (price - mean0)}
    return effects, causes


def factors(before: Json, record: Json) -> Json:
    """R-11, percentage form: U1/U0 as the product of price, mix, entry and exit."""
    old, new = basket(before), basket(record)
    stay0, stay1 = {n: old[n] for n in old if n in new}, {n: new[n] for n in old if n in new}
    laspeyres, paasche = passed(before, record)
    of_mix = (mean(stay1) / mean(stay0)) ** 2 / (laspeyres * paasche)
    found = {"price": root(laspeyres * paasche, 12), "mix": root(of_mix, 12)}
    found |= {"entry": mean(new) / mean(stay1), "exit": mean(stay0) / mean(old)}
    return {name: rounded(factor, 12) for name, factor in found.items()}


def expected_move(before: Json, record: Json) -> Json:
    """R-11: the whole field `move`, its constituents by name."""
    effects, causes = move(before, record)
    change = mean(basket(record)) - mean(basket(before))
    replaced = any("replacement" in effect for effect in effects.values())
    found: Json = {"from_date": before["date"], "from_value": before["value"], "change": rounded(change, 12)}
    sums = {
        form: sum((effect.get(form, Fraction()) for effect in effects.values()), Fraction())
        for form in (("replacement",) if replaced else _FORMS)
    }
    need(sum(sums.values(), Fraction()) == change, "the effects do not add up to the change")
    found |= {form: rounded(value, 12) for form, value in sums.items()}
    for form in () if replaced else ("entry", "exit"):
        by_cause: Dict[str, Fraction] = {}
        for name, effect in effects.items():
            if form in effect:
                by_cause[causes[name]] = by_cause.get(causes[name], Fraction()) + effect[form]
        if by_cause:
            found[f"{form}_by_cause"] = {one: rounded(value, 12) for one, value in by_cause.items()}
    if not replaced:
        found["factors"] = factors(before, record)
    found["constituents"] = {
        name: {form: rounded(value, 12) for form, value in effect.items()}
        | ({"cause": causes[name]} if name in causes else {})
        for name, effect in effects.items()
    }
    return found


def check_move(record: Json, before: Optional[Json], parameters: Dict[str, Any]) -> str:
    """R-11: the move since the previous printed record, in dollars and factors, whole, by constituent and by cause."""
    gap = day(record["date"]) - day(before["date"]) if before else 0
    if before is None or "value" not in record or gap > parameters["averages.previous_days"]:
        need("move" not in record, "a move where there is no value to move from or to")
        return "none: no value within 30 days before" if "value" in record else "none of a withheld day"
    need("move" in record, "the move is missing")
    said, expected = dict(record["move"]), expected_move(before, record)
    rows = said["constituents"]
    said["constituents"] = {
        row["constituent"]: {k: v for k, v in row.items() if k != "constituent"} for row in rows
    }
    equal(len(said["constituents"]), len(rows), "constituents of the move that are distinct")
    equal(said.pop("from_sha256"), before["determination_sha256"], "move.from_sha256")
    for name in sorted(said.keys() | expected.keys()):
        if name == "constituents":
            for one in sorted(said[name].keys() | expected[name].keys()):
                equal(said[name].get(one), expected[name].get(one), f"move of {show(one)}")
        else:
            equal(said.get(name), expected.get(name), f"move.{name}")
    return f"{said['change']} since {said['from_date']}"


# ---- a record, and all that is named by it


class Report:
    """What was checked: ok or FAIL, the rule or specification, the place, and what was found."""

    def __init__(self) -> None:
        self.lines: List[Tuple[bool, str, str, str]] = []
        self.remarks: List[str] = []

    def run(self, what: str, where: str, check: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Note how a check went, and return what it found; None where it failed, whatever it raised."""
        try:
            found = check(*given, **named)
        except Refused as error:
            self.lines.append((False, what, where, str(error)))
            return None
        except Exception as error:  # hostile content that no check foresaw is refused like any other
            self.lines.append(
                (False, what, where, f"cannot be checked: {type(error).__name__} {show(str(error))}")
            )
            return None
        self.lines.append((True, what, where, found if isinstance(found, str) else ""))
        return found

    def remark(self, text: str) -> None:
        """Note something that is no failure, once."""
        if text not in self.remarks:
            self.remarks.append(text)


class Case(NamedTuple):
    """One published record with everything around it; paths are those of the place it is read from."""

    place: Place
    at: str  # where the record stands, for messages
    record: Json
    earlier: Dict[str, Json]  # by date, what `earlier` names, already found by digest
    observations: str
    prices: str
    policy: str


def alone(record: Json) -> bytes:
    """Return the canonical JSON of the determination, without what publication added."""
    return canonical({name: value for name, value in record.items() if name not in ADDED})


def read_record(raw: bytes, unknown: Set[str]) -> Json:
    """Return a published record of the right shape whose determination_sha256 is right."""
    record: Json = read_shape(raw, RECORD, "record", unknown)
    equal(digest(alone(record)), record["determination_sha256"], "sha256 of the determination")
    need(instant(record["as_of"]) <= instant(record["known_at"]), "known_at is before as_of")
    vintage = int(record["vintage"])
    equal(record.get("supersedes"), str(vintage - 1) if vintage else None, "supersedes")
    return record


def check_entry(entry: Json, record: Json, raw: bytes) -> str:
    """The entry in the log says of the record what it says itself (formats.md, Entries)."""
    kind = "point" if "value" in record else "nodata"
    equal(entry["type"], kind, "type of the entry")
    equal(entry.get("record_sha256"), digest(raw), "record_sha256 in the entry; the record's sha256")
    equal(entry["time"], record["known_at"], "time of the entry")
    for name in ENTRIES["nodata" if kind == "nodata" else "point"].keys() - _HEAD.keys() - {"record_sha256"}:  # type: ignore[attr-defined]
        plain = name.rstrip("?")
        equal(entry.get(plain), record.get(plain), f"{plain} of the entry")
    return f"{kind}, record {digest(raw)}"


def read_entry(raw: bytes, unknown: Set[str]) -> Json:
    """Return an entry of the log; of a type no document has, only its head is read."""
    need(len(raw) <= 65_535, "an entry above 65,535 bytes")
    entry = read_json(raw)
    shape(entry, _HEAD, "entry", set())
    kind = "nodata without a record" if entry["type"] == "nodata" and "failure" in entry else entry["type"]
    if kind in ENTRIES:
        shape(entry, ENTRIES[kind], kind, unknown)
    else:
        unknown.add(f"type {show(kind)}")
    return dict(entry)


def check_earlier(case: Case) -> str:
    """R-0, R-11: what `earlier` names is earlier, of this series and version, and known in time; `move` starts from one."""
    named = case.record.get("earlier", [])
    dates = [one["date"] for one in named]
    need(dates == sorted(set(dates)), "the dates in `earlier` do not rise")
    need(not dates or dates[-1] < case.record["date"], "`earlier` names a date that is not earlier")
    for one in named:
        found = case.earlier.get(one["date"])
        if found is None:
            raise Refused(f"the record of {one['date']} that `earlier` names is missing")
        where = f"earlier record of {one['date']}:"
        equal(found["determination_sha256"], one["sha256"], f"{where} sha256 of the determination")
        for name in ("series", "methodology", "unit", "volume_source"):
            equal(found[name], case.record[name], f"{where} {name}")
        equal(found["date"], one["date"], f"{where} date")
        need(found["stage"] != "informational", f"{where} it is informational")
        need(instant(found["as_of"]) <= instant(case.record["as_of"]), f"{where} its as_of is later")
        need(
            instant(found["known_at"]) <= instant(case.record["known_at"]), f"{where} it was published later"
        )
    moved = case.record.get("move", {}).get("from_date")
    need(moved is None or moved in dates, "`move` starts from a date that `earlier` does not name")
    return f"{len(named)} earlier records, each by its digest"


def capture_list(place: Place, seen: Json) -> List[Json]:
    """Return a list of captures, its digest, count, order and day checked (records.md, The captures that were seen)."""
    path = f"captures/{seen['date']}/{seen['sha256']}.json"
    raw = place.read_digest(path, seen["sha256"])
    found: List[Json] = read_shape(raw, [_CAPTURE], path, set())
    equal(str(len(found)), seen["captures"], f"{path}: captures")
    order = [
        (instant(one["captured_at"])[:2], one["sha256"], one["collector"], instant(one["captured_at"]))
        for one in found
    ]
    need(order == sorted(order), f"{path}: not in order of time")
    need(
        all(one["captured_at"].startswith(seen["date"]) for one in found), f"{path}: a capture of another day"
    )
    return found


def check_captures(case: Case, parameters: Dict[str, Any]) -> str:
    """R-0: nothing seen is later than as_of or outside the window, and used captures stand at the place of their id."""
    record, inputs = case.record, case.record["inputs"]
    fixing, as_of = day(record["date"]), instant(record["as_of"])
    first, last = (
        fixing - parameters["window.input_days_before"],
        fixing + parameters["window.input_days_after"],
    )
    dates = [one["date"] for one in inputs["seen"]]
    need(dates == sorted(set(dates)), "the dates in inputs.seen do not rise")
    need(all(first <= day(date) <= last for date in dates), "inputs.seen names a day outside the window")
    everything = [capture for one in inputs["seen"] for capture in capture_list(case.place, one)]
    for capture in everything:
        late = f"captured_at {capture['captured_at']} is after as_of {record['as_of']}"
        need(instant(capture["captured_at"]) <= as_of, late)
    places = [int(one["id"][1:]) for one in inputs["captures"]]
    need(places == sorted(set(places)), "the ids in inputs.captures do not rise")
    for number, one in zip(places, inputs["captures"]):
        need(number <= len(everything), f"{one['id']} is beyond the {len(everything)} captures seen")
        equal({**everything[number - 1], "id": one["id"]}, one, f"capture {number} of the lists")
    rows = [*record["constituents"], *record.get("left_out", []), *record.get("absent", [])]
    referred = {name for row in rows for name in row.get("captures", [])}
    referred |= {one["capture"] for one in record.get("discarded", [])}
    equal(
        sorted(one["id"] for one in inputs["captures"]),
        sorted(referred),
        "ids of inputs.captures; those referred to",
    )
    check_rungs(record, {one["id"]: one for one in inputs["captures"]})
    volumes = [one for one in (inputs.get("rankings"),) if one] + inputs.get("rejected_rankings", [])
    need(all(instant(one["as_of"]) <= as_of for one in volumes), "a rankings capture after as_of")
    need(
        all(day(one["as_of"][:10]) > fixing for one in volumes),
        "a rankings capture of before the day was over",
    )
    for one in inputs.get("endpoints", []):
        need(instant(one["captured_at"]) <= as_of, "an endpoints capture after as_of")
        equal(one["captured_at"][:10], record["date"], "day of an endpoints capture")
    return (
        f"{len(everything)} captures of {len(dates)} days, none after {record['as_of']}; {len(places)} used"
    )


def check_rungs(record: Json, captures: Dict[str, Json]) -> None:
    """R-6: a price rests on captures of the day and rank that its rung says."""
    fixing = day(record["date"])
    for row in [*record["constituents"], *record.get("absent", [])]:
        age, where = int(row["age_days"]), f"{row['rung']} price of {show(row['constituent'])}"
        ages = {"direct": age == 0, "fallback": age == 0, "carried": age > 0, "launch": age == -1}
        need(ages.get(row["rung"]), f"{where}: age_days {age}")
        used = [captures[name] for name in row["captures"]]
        need(used, f"{where}: no capture")
        need(
            all(day(one["captured_at"][:10]) == fixing - age for one in used),
            f"{where}: a capture of another day",
        )
        need(len({one["collector"] for one in used}) == 1, f"{where}: captures of two collectors")
        need(
            all((one["rank"] == "1") == (row["rung"] != "fallback") for one in used),
            f"{where}: rank of a capture",
        )


def check_methodology(case: Case) -> Dict[str, Any]:
    """The rules and parameters are those the record names (records.md, Digests of a version). Returns the parameters."""
    folder = f"methodology/{case.record['methodology']}/"
    raw = case.place.read_digest(folder + "parameters.toml", case.record["parameters_sha256"])
    names = [path for path in case.place.files() if path.startswith(folder + "rules/")]
    rules = {path[len(folder + "rules/") :]: digest(case.place.read(path)) for path in names}
    equal(
        digest(canonical(rules)),
        case.record["rules_sha256"],
        f"digest of {folder}rules/ ({len(names)} files)",
    )
    return parameters_of(raw)


def price_rows(record: Json) -> List[Json]:
    """Return the rows of a record in the day's prices table (formats.md, Posted prices)."""
    digests = {one["id"]: one["sha256"] for one in record["inputs"]["captures"]}
    rows = []
    for row in [*record["constituents"], *record.get("absent", [])]:
        said = {name: row[name] for name in row.keys() & (_PRICED.keys() | {"age_days", "tokens"})}
        last = max(row["captures"], key=lambda name: int(name[1:]))
        rows.append(
            {
                **said,
                "series": record["series"],
                "captures": str(len(row["captures"])),
                "sha256": digests[last],
            }
        )
    return sorted(rows, key=lambda row: str(row["constituent"]))


_tables: Dict[str, Json] = {}


def prices_table(raw: bytes) -> Json:
    """Return a table of posted prices, sorted, each row once."""
    if digest(raw) not in _tables:
        table: Json = read_shape(raw, PRICES, "prices", set())
        order = [(row["series"], row["constituent"]) for row in table["prices"]]
        need(
            order == sorted(set(order)), "rows are not sorted by series and constituent, or one stands twice"
        )
        _tables[digest(raw)] = table
    return _tables[digest(raw)]


def check_prices(case: Case) -> str:
    """The day's table of posted prices has this edition, and of this series exactly the rows of the record."""
    table = prices_table(case.place.read_digest(case.prices, case.record["prices"]["sha256"]))
    for name in ("date", "as_of", "methodology", "stage"):
        equal(table[name], case.record[name], f"{name} of the table")
    found = {row["constituent"]: row for row in table["prices"] if row["series"] == case.record["series"]}
    rows = {row["constituent"]: row for row in price_rows(case.record)}
    for name in sorted(found.keys() | rows.keys()):
        equal(found.get(name), rows.get(name), f"row of {show(name)}")
    return f"{len(rows)} rows of {case.record['series']}"


def check_record(report: Report, case: Case) -> None:
    """Check all that a published record says and names, but for its entry in the log."""
    at, record, before = case.at, case.record, printed_before(case.record, case.earlier)
    report.run("earlier records (R-0)", at, check_earlier, case)
    report.run(
        "digest of observations",
        at,
        case.place.read_digest,
        case.observations,
        record["observations"]["sha256"],
    )
    report.run("posted prices", at, check_prices, case)
    report.run("digest of the policy", at, case.place.read_digest, case.policy, record["policy_sha256"])
    parameters = report.run("digests of rules and parameters", at, check_methodology, case)
    if not record["methodology"].startswith("1."):
        report.remark(
            f"the arithmetic of methodology {show(record['methodology'])} is not known here: not checked"
        )
    elif parameters:
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
    r"record\.json|entry\.json|proof\.tlog-proof|observations\.parquet|prices\.json|rulebook\.md|policy\.toml|vkey|verify\.py|"
    rf"README\.html|earlier/{DATE}\.json|captures/{DATE}/{SHA256}\.json|methodology/{NAME}/(parameters\.toml|rules/{NAME}\.sql)"
)


def check_parcel(report: Report, place: Place, keys: Tuple[Key, ...]) -> None:
    """Check a parcel: what one published record says, and that the log holds it."""
    unknown: Set[str] = set()
    strange = [path for path in place.files() if not re.fullmatch(PARCEL, path)]
    if strange:
        report.remark(f"not part of a parcel, not looked at: {', '.join(show(path) for path in strange[:5])}")
    raw = report.run("record", "record.json", place.read, "record.json")
    entry_raw = report.run("entry", "entry.json", place.read, "entry.json")
    proof = report.run("proof", "proof.tlog-proof", place.read, "proof.tlog-proof")
    if entry_raw is not None and proof is not None:
        logged = report.run(
            "in the log (RFC 6962, Ed25519)", "proof.tlog-proof", check_proof, proof, entry_raw, keys
        )
        if logged:
            report.remark(
                f"entry {logged[0]} of the log of {show(logged[1].origin)}, which had {logged[1].size} entries"
            )
    record = (
        report.run("canonical form", "record.json", read_record, raw, unknown) if raw is not None else None
    )
    entry = (
        report.run("canonical form", "entry.json", read_entry, entry_raw, unknown)
        if entry_raw is not None
        else None
    )
    if record is None or entry is None:
        return
    report.run("entry and record agree", "entry.json", check_entry, entry, record, raw)
    earlier: Dict[str, Json] = {}
    for path in place.files():
        found = re.fullmatch(rf"earlier/({DATE})\.json", path)
        if found:
            one = report.run("earlier record", path, lambda path=path: read_record(place.read(path), unknown))
            if one:
                earlier[found[1]] = one
    named = {one["date"] for one in record.get("earlier", [])}
    if earlier.keys() - named:
        report.remark(f"earlier records that nothing names: {', '.join(sorted(earlier.keys() - named))}")
    earlier = {date: one for date, one in earlier.items() if date in named}
    check_record(
        report,
        Case(place, "record.json", record, earlier, "observations.parquet", "prices.json", "policy.toml"),
    )
    if unknown:
        report.remark(f"fields this program does not know: {', '.join(sorted(unknown)[:10])}")
    report.remark(
        "rulebook.md, README.html and verify.py are for you to read: nothing signed in a parcel names them"
    )
    tell(report, record)


def tell(report: Report, record: Json) -> None:
    """Note what was published, and what moved it, as sentences."""
    what = (
        f"{record['value']} {record['unit']}"
        if "value" in record
        else f"no value ({' '.join(record['reasons'])})"
    )
    lines = [
        f"{record['series']} on {record['date']}: {what}, {record['quality']}",
        f"said at {record['known_at']} ({record['stage']}, vintage {record['vintage']}), seeing captures until {record['as_of']}",
    ]
    if "move" in record:
        move_ = record["move"]
        effects = ", ".join(f"{name} {move_[name]}" for name in (*_FORMS, "replacement") if name in move_)
        lines.append(
            f"it was {move_['from_value']} on {move_['from_date']} and moved by {move_['change']}: {effects}"
        )
    report.remarks[:0] = [show(line) if len(line) < 100 else line for line in lines]


# ---- a publication (formats.md, The files and The log)

SERIES = "openai google-gemini anthropic deepseek qwen moonshot".split()  # R-1, in order


def tile_path(level: str, number: int, width: int) -> str:
    """Return the path of a tile (c2sp.org/tlog-tiles): 1234067 is x001/x234/067, a partial tile ends with its width."""
    parts = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        parts.insert(0, f"x{number % 1000:03}")
    return f"log/tile/{level}/{'/'.join(parts)}" + (f".p/{width}" if width < 256 else "")


def read_entries(place: Place, size: int) -> List[bytes]:
    """Return the entries of a log from its bundles."""
    entries: List[bytes] = []
    for number in range((size + 255) // 256):
        path = tile_path("entries", number, min(256, size - 256 * number))
        entries += bundle(place.read(path), min(256, size - 256 * number), path)
    return entries


def bundle(raw: bytes, width: int, path: str) -> List[bytes]:
    """Return the entries of a bundle: each after its length in two bytes."""
    entries, at = [], 0
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 2], "big")
        entries.append(raw[at + 2 : at + 2 + length])
        at += 2 + length
    need(at == len(raw) and len(entries) == width, f"{path} does not hold exactly {width} entries")
    return entries


def check_tiles(place: Place, entries: List[bytes], head: Checkpoint) -> str:
    """The root follows from all entries; every tile and bundle there is, of this size or an earlier, has their hashes."""
    levels = [[leaf_hash(entry) for entry in entries]]
    need(tree_root(levels[0]) == head.root, "the root of all entries is another than the signed one")
    while len(levels[-1]) >= 256:
        below = levels[-1]
        levels.append([tree_root(below[at : at + 256]) for at in range(0, len(below) - 255, 256)])
    wanted = {
        tile_path(str(level), at // 256, min(256, len(hashes) - at)): (level, at)
        for level, hashes in enumerate(levels)
        for at in range(0, len(hashes), 256)
    }
    there = {path for path in place.files() if path.startswith("log/tile/")}
    need(wanted.keys() <= there, f"{show(min(wanted.keys() - there, default=''))} is missing")
    for path in sorted(there):
        found = re.fullmatch(
            r"log/tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?", path
        )
        number, width = (
            (int(found[2].replace("x", "").replace("/", "")), int(found[3] or 256)) if found else (0, 0)
        )
        if found is None or tile_path(found[1], number, width) != path:
            raise Refused(f"{show(path)} is no path of a tile")
        row: List[bytes] = (
            entries if found[1] == "entries" else levels[int(found[1])] if int(found[1]) < len(levels) else []
        )
        part = row[256 * number : 256 * number + width]
        raw = (
            b"".join(len(one).to_bytes(2, "big") + one for one in part) if row is entries else b"".join(part)
        )
        need(
            len(part) == width and place.read(path) == raw, f"{path} is not what the entries of the log give"
        )
    return f"{len(there)} tiles and bundles give the signed root of {len(entries)} entries"


def check_heads(place: Place, entries: List[bytes], ends: List[int]) -> str:
    """Each size ever signed is the end of a publication, and its file has the root of the entries up to it."""
    hashes = [leaf_hash(entry) for entry in entries]
    there = [path for path in place.files() if path.startswith("log/heads/")]
    equal(sorted(there), sorted(f"log/heads/{size}" for size in ends), "files in log/heads/")
    for size in ends:
        line = f"{size} {base64.b64encode(tree_root(hashes[:size])).decode()}\n"
        need(
            place.read(f"log/heads/{size}") == line.encode(),
            f"log/heads/{size} is not the root of these entries",
        )
    return f"{len(ends)} heads"


def rotate(entries: List[Json], key: Key, ends: List[int]) -> List[Tuple[int, Key]]:
    """Return the log's keys, each with the size from which it signs, the given one among them (formats.md, Key rotation)."""
    notices = [(index, one) for index, one in enumerate(entries) if one.get("kind") == "key_rotation"]
    keys = [(0, parse_key(notices[0][1].get("old_key", "")) if notices else key)]
    for index, one in notices:
        old, new = keys[-1][1], parse_key(one.get("new_key", ""))
        equal(
            [one.get("old_key"), new.name],
            [text_of(old), old.name],
            f"entry {index}: old key, name of the new key",
        )
        text = f"mtok key rotation\n{old.name}\n{text_of(old)}\n{text_of(new)}\n".encode()
        for signer, name in ((old, "old_signature"), (new, "new_signature")):
            need(
                verifies(signer.public, text, from_base64(one.get(name, ""))),
                f"entry {index}: {name} does not verify",
            )
        keys.append((min(end for end in ends if end > index), new))
    need(key in [one for _, one in keys], "the key given is none of those the log was signed with")
    return keys


def text_of(key: Key) -> str:
    """Return a key as it is written."""
    return f"{key.name}+{key.hint.hex()}+{base64.b64encode(bytes([1]) + key.public).decode()}"


def check_order(entries: List[Json]) -> str:
    """Publications follow each other in time, each in the order of formats.md with its as-of table last."""
    need(entries and entries[0]["type"] == "method", "the first entry is no method")
    need(entries[-1]["type"] == "asof", "the last entry is no asof")
    for index in range(1, len(entries)):
        old, new = entries[index - 1], entries[index]
        if old["type"] == "asof":
            need(instant(old["time"]) < instant(new["time"]), f"entry {index}: the time does not rise")
        else:
            equal(new["time"], old["time"], f"entry {index}: time, within one publication")
            need(
                place_of(old) < place_of(new), f"entry {index}: {show(new['type'])} after {show(old['type'])}"
            )
    return f"{sum(entry['type'] == 'asof' for entry in entries)} publications, {len(entries)} entries"


def place_of(entry: Json) -> Tuple[int, str, int, int]:
    """Return what entries of one publication are sorted by."""
    kind = entry["type"]
    if kind in ("raw", "point", "nodata", "prices"):
        series = SERIES.index(entry["series"]) if entry.get("series") in SERIES else len(SERIES)
        return 1, entry["date"], {"raw": 0, "prices": 2}.get(kind, 1), series
    return {"method": 0, "notice": 2, "asof": 4}.get(kind, 3), "", 0, 0


def check_vintages(entries: List[Json]) -> str:
    """Vintages of (series, methodology, date) are dense, and each as-of table follows from the entries before it."""
    force: Dict[Tuple[str, str, str], str] = {}
    count: Dict[Tuple[str, str, str], int] = {}
    for index, entry in enumerate(entries):
        if entry["type"] in ("point", "nodata") and "record_sha256" in entry:
            key = entry["series"], entry["methodology"], entry["date"]
            equal(entry["vintage"], str(count.get(key, 0)), f"entry {index}: vintage of {' '.join(key)}")
            count[key] = count.get(key, 0) + 1
            if entry["stage"] != "informational":
                names = ("vintage", "stage", "quality", "value", "record_sha256")
                force[key] = " ".join([*key, *(entry.get(name, "-") for name in names)]) + "\n"
        elif entry["type"] == "asof":
            equal(entry["known_at"], entry["time"], f"entry {index}: known_at")
            equal(entry["vintages"], str(len(force)), f"entry {index}: lines of the as-of table")
            equal(
                entry["sha256"],
                digest("".join(sorted(force.values())).encode()),
                f"entry {index}: as-of table",
            )
    return f"{sum(count.values())} vintages of {len(count)} points"


def check_method(entries: List[Json], place: Place) -> str:
    """Each method entry differs from the one before and names a rulebook and a policy there are; points go by the last."""
    before: Json = {}
    for index, entry in enumerate(entries):
        if entry["type"] == "method":
            need(
                any(entry[name] != before.get(name) for name in _DIGESTS),
                f"entry {index}: a method that changes nothing",
            )
            place.read_digest(f"rulebooks/{entry['rulebook_sha256']}.md", entry["rulebook_sha256"])
            place.read_digest(f"policies/{entry['policy_sha256']}.toml", entry["policy_sha256"])
            before = entry
        elif entry["type"] in ("point", "nodata") and entry["methodology"] == before.get("methodology"):
            for name in ("rules_sha256", "parameters_sha256"):
                need(
                    entry.get(name) in (None, before[name]),
                    f"entry {index}: {name} is not that of the method in force",
                )
    return "rulebooks and policies"


def check_files(entries: List[Json], place: Place) -> str:
    """What raw and prices entries name is there: captures of the day, and the day's table."""
    days: Set[str] = set()
    for index, entry in enumerate(entries):
        if entry["type"] == "raw":
            need(entry["date"] not in days, f"entry {index}: raw of {entry['date']} a second time")
            days.add(entry["date"])
            path = f"raw/{entry['date']}/{entry['sha256']}.json"
            rows = read_shape(place.read_digest(path, entry["sha256"]), RAW, path, set())
            equal(str(len(rows)), entry["captures"], f"entry {index}: captures")
            need(
                all(row["captured_at"].startswith(entry["date"]) for row in rows),
                f"{path}: a capture of another day",
            )
        elif entry["type"] == "prices":
            table = prices_table(place.read_digest(entry["path"], entry["sha256"]))
            equal(str(len(table["prices"])), entry["constituents"], f"entry {index}: constituents")
            equal(
                [table["date"], table["stage"]],
                [entry["date"], entry["stage"]],
                f"entry {index}: date and stage",
            )
    return f"captures of {len(days)} days"


def check_sums(place: Place, keys: Tuple[Key, ...]) -> str:
    """SHA256SUMS is signed by the key in force and lists every file but log/, proofs/ and itself, each with its digest."""
    text, _ = open_note(place.read("SHA256SUMS"), keys)
    sums: Dict[str, str] = {}
    for line in text.splitlines():
        found = re.fullmatch(rf"({SHA256})  ({PATH})", line)
        if found is None or found[2] in sums:
            raise Refused(f"line {show(line)}")
        sums[found[2]] = found[1]
    need(list(sums) == sorted(sums), "not sorted by path")
    there = {path for path in place.files() if not re.match("(log|proofs)/", path) and path != "SHA256SUMS"}
    need(
        there <= sums.keys(),
        f"not listed: {', '.join(show(path) for path in sorted(there - sums.keys())[:5])}",
    )
    need(
        sums.keys() <= there,
        f"listed and missing: {', '.join(show(path) for path in sorted(sums.keys() - there)[:5])}",
    )
    for path in sorted(sums):
        place.read_digest(path, sums[path])
    return f"{len(sums)} files"


def signers(keys: List[Tuple[int, Key]], size: int) -> Tuple[Key, ...]:
    """Return the keys that sign a checkpoint of this size: one, or two while a key is replaced."""
    last = max(at for at, (since, _) in enumerate(keys) if since <= size)
    return tuple(key for _, key in keys[max(0, last - 1 if keys[last][0] == size else last) : last + 1])


def check_logged(
    place: Place, path: str, entry: bytes, index: int, keys: List[Tuple[int, Key]], ends: List[int]
) -> None:
    """The proof file of an entry holds, for its own index, under the checkpoint of its own publication."""
    raw = place.read(path)
    size = min(end for end in ends if end > index)
    found, checkpoint = check_proof(raw, entry, signers(keys, size))
    equal((found, checkpoint.size), (index, size), "index and size of the log")


def check_publication(report: Report, place: Place, key: Key) -> None:
    """Check a whole publication: the log, every entry, and every record as of a parcel."""
    unknown: Set[str] = set()
    size = report.run("size of the log", "log/checkpoint", said_size, place)
    raw = report.run("entry bundles", "log/tile/entries/", read_entries, place, size) if size else None
    if raw is None:
        return
    entries = [
        report.run("entries", f"entry {index}", read_entry, one, unknown) for index, one in enumerate(raw)
    ]
    if None in entries:
        return
    ends = [index + 1 for index, entry in enumerate(entries) if entry["type"] == "asof"]
    keys = report.run("keys", "log/", rotate, entries, key, [*ends, size])
    if keys is None or not ends:
        report.run("keys", "log/", need, ends, "no as-of table in the log")
        return
    now = signers(keys, size)
    head = report.run(
        "checkpoint (Ed25519)", "log/checkpoint", lambda: open_checkpoint(place.read("log/checkpoint"), now)
    )
    if head is not None:
        report.run("tree (RFC 6962) and tiles", "log/tile/", check_tiles, place, raw, head)
    report.run("heads", "log/heads/", check_heads, place, raw, ends)
    for what, check in (("order of entries", check_order), ("vintages and as-of tables", check_vintages)):
        report.run(what, "log/", check, entries)
    report.run("methods", "log/", check_method, entries, place)
    report.run("files of the days", "raw/, prices/", check_files, entries, place)
    report.run("sums", "SHA256SUMS", check_sums, place, (keys[-1][1],))
    check_points(report, place, entries, raw, keys, ends, unknown)
    if unknown:
        report.remark(f"fields and types this program does not know: {', '.join(sorted(unknown)[:10])}")
    dates = sorted({entry["date"] for entry in entries if "date" in entry})
    report.remarks[:0] = [
        f"{show(key.name)}: {len(dates)} dates from {dates[0]} to {dates[-1]}" if dates else "no dates"
    ]


def said_size(place: Place) -> int:
    """Return the size a checkpoint says, before its signature is checked: the entries say which keys may sign it."""
    lines = place.read("log/checkpoint").split(b"\n")
    need(
        len(lines) > 2 and re.fullmatch(rb"[1-9][0-9]{0,7}", lines[1]), "the second line is no size of a log"
    )
    need(int(lines[1]) <= LOG_ENTRIES_MAX, "the log is larger than this program reads")
    return int(lines[1])


def check_points(
    report: Report,
    place: Place,
    entries: List[Json],
    raw: List[bytes],
    keys: List[Tuple[int, Key]],
    ends: List[int],
    unknown: Set[str],
) -> None:
    """Check every record and every proof of a publication, in the order of the log, and that none is unlogged."""
    series: Dict[str, Dict[str, Json]] = {}  # what is in force of each date, so far
    expected: Set[str] = set()
    for index, entry in enumerate(entries):
        name, at = "", ""
        if entry["type"] == "prices":
            name = entry["path"][: -len(".json")]
        elif "record_sha256" in entry:
            name = f"{entry['series']}/{entry['date']}.{entry['vintage']}"
            at = f"records/{name}.json"
        if name:
            expected |= {at, f"proofs/{name}.tlog-proof"}
            proof = f"proofs/{name}.tlog-proof"
            report.run(
                "proofs (RFC 6962, Ed25519)", proof, check_logged, place, proof, raw[index], index, keys, ends
            )
        if at:
            bytes_ = report.run("record", at, place.read, at)
            record = (
                report.run("canonical form", at, read_record, bytes_, unknown) if bytes_ is not None else None
            )
            if record is not None:
                report.run("entry and record agree", at, check_entry, entry, record, bytes_)
                before = series.setdefault(record["series"], {})
                in_force = {
                    date: one
                    for date, one in before.items()
                    if instant(one["as_of"]) <= instant(record["as_of"])
                }
                report.run("earlier records, complete (R-0)", at, check_complete, record, in_force)
                paths = record["observations"]["path"], record["prices"]["path"]
                named = {one["date"] for one in record.get("earlier", [])}
                known = {date: one for date, one in in_force.items() if date in named}
                check_record(
                    report, Case(place, at, record, known, *paths, f"policies/{record['policy_sha256']}.toml")
                )
                if record["stage"] != "informational":
                    before[record["date"]] = record
    there = {path for path in place.files() if re.match("(records|proofs)/", path)}
    strange = ", ".join(sorted(show(path) for path in there - expected)[:5])
    report.run(
        "nothing unlogged", "records/, proofs/", need, not strange, f"in no entry of the log: {strange}"
    )


def check_complete(record: Json, in_force: Dict[str, Json]) -> None:
    """R-8.2, R-8.3, R-11: `earlier` names every printed record the averages, the index and the move rest on."""
    if "value" in record:
        first, named = day(record["date"]) - 29, {one["date"] for one in record.get("earlier", [])}
        printed = [date for date, one in in_force.items() if "value" in one and date < record["date"]]
        rests = {date for date in printed if day(date) >= first} | set(sorted(printed)[-1:])
        need(rests <= named, f"`earlier` does not name {', '.join(sorted(rests - named))}")


# ---- the command line


def write(report: Report, key: Key, given: bool, as_json: bool) -> None:
    """Print what was checked, for people or for programs."""
    failed = [line for line in report.lines if not line[0]]
    if as_json:
        names = ("ok", "check", "place", "found")
        checks = [dict(zip(names, line)) for line in report.lines]
        page = {
            "ok": not failed,
            "key": text_of(key),
            "key_given": given,
            "said": report.remarks,
            "checks": checks,
        }
        print(json.dumps(page, indent=1))
        return
    for remark in report.remarks:
        print(remark)
    print(f"key   {text_of(key)}{'' if given else '  (from the same place: see below)'}\n")
    seen: Dict[str, List[Tuple[bool, str, str, str]]] = {}
    for line in report.lines:
        seen.setdefault(line[1], []).append(line)
    for what, lines in seen.items():
        good = [line for line in lines if line[0]]
        if len(good) == len(lines):
            print(f"ok    {what}: {good[0][3] or good[0][2] if len(good) == 1 else f'{len(good)} times'}")
        for line in [line for line in lines if not line[0]][:20]:
            print(f"FAIL  {what}: {line[2]}: {line[3]}")
        if len(lines) - len(good) > 20:
            print(f"FAIL  {what}: and {len(lines) - len(good) - 20} more")
    print(f"\n{len(report.lines) - len(failed)} checks ok, {len(failed)} failed")
    if not given:
        print(
            "\nATTENTION: no key was given. The key used came with what was checked, so this only shows that it is\n"
            "consistent with itself. Get the key from somebody else and run again with --key VKEY."
        )


def check(path: str, key_text: Optional[str]) -> Tuple[Report, Optional[Key]]:
    """Return the report on a parcel or publication, and the key it was checked with."""
    report = Report()
    place = report.run("opened", path, Place, path)
    key = parse_key(key_text) if key_text is not None else None
    if place is not None and key is None:
        key = report.run(
            "key", "vkey", lambda: parse_key(place.read("vkey").decode("ascii", "replace").strip("\n"))
        )
    elif (
        place is not None
        and place.has("vkey")
        and place.read("vkey").decode("ascii", "replace").strip("\n") != key_text
    ):
        report.remark("the vkey beside it is another than the one given")
    if place is not None and key is not None:
        if place.has("log"):
            check_publication(report, place, key)
        else:
            check_parcel(report, place, (key,))
    return report, key


def main(arguments: List[str]) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description="Check a parcel of mtok, or a whole publication folder.")
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument(
        "path", nargs="?", default=here, help="folder or .zip; default: where this file stands"
    )
    parser.add_argument("--key", metavar="VKEY", help="the log's public key, from somebody you trust")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    asked = parser.parse_args(arguments)
    if not os.path.exists(asked.path):
        parser.error(f"{show(asked.path)}: no such file or folder")
    try:
        key = parse_key(asked.key) if asked.key is not None else None
    except Refused as error:
        parser.error(f"--key: {error}")
    report, key = check(asked.path, asked.key)
    write(report, key, asked.key is not None, asked.json)
    return 0 if all(line[0] for line in report.lines) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

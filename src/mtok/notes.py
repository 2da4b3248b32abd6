"""Signed notes and checkpoints: text that says who signed it, and the head of a log in three lines.

The formats are those of c2sp.org/signed-note, with Ed25519 signatures (type 0x01), and c2sp.org/tlog-checkpoint;
keys are written as Go's `golang.org/x/mod/sumdb/note` writes them. The reader is strict: what it accepts has one
meaning and, but for lines of keys it does not know, one spelling.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mtok.canonical import from_base64

NOTE_BYTES_MAX: Final = 2**20
"""A note, at most, unless the caller allows more."""

SIGNATURES_MAX: Final = 16
"""What every reader of notes must accept, and no more."""

SIZE_MAX: Final = 2**63 - 1
"""Leaves of a log, at most."""

_ED25519: Final = b"\x01"
_KEY_BYTES: Final = 32
_ID_BYTES: Final = 4
_ROOT_BYTES: Final = 32
_PRIVATE: Final = "PRIVATE+KEY+"
_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_CONTROL_IN_TEXT: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class NoteRefused(ValueError):
    """A note, key or checkpoint that is not taken: the message says what was found, and in which line."""


def _check_name(name: str) -> None:
    """Raise NoteRefused unless `name` may stand in a signature line."""
    if not name:
        raise NoteRefused("key name is empty")
    if "+" in name or any(character.isspace() for character in name) or _CONTROL.search(name):
        raise NoteRefused(f"key name {name!a} has a space, a plus or a control character")
    _encoded(name, "key name")


def _encoded(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise NoteRefused(f"{what} is no Unicode text: surrogate at character {error.start}") from None


def _key_material(text: str, what: str) -> tuple[str, bytes, bytes]:
    """Return name, id and key of `name+id+base64(0x01 and key)`; messages never quote the last part."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise NoteRefused(f"{what} has {len(parts)} parts joined by '+', not 3")
    name, key_id, data = parts
    if not _KEY_ID.fullmatch(key_id):
        raise NoteRefused(f"{what}: key id is not 8 lower-case hexadecimal digits")
    try:
        raw = from_base64(data)
    except ValueError as error:
        raise NoteRefused(f"{what}: {error}") from None
    if raw[:1] != _ED25519:
        raise NoteRefused(f"{what} is of type 0x{raw[0]:02x}, not 0x01 (Ed25519)")
    return name, bytes.fromhex(key_id), raw[1:]


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """Whose signatures are believed: a name and an Ed25519 key of 32 bytes. Raises NoteRefused for a bad one.

    >>> str(PublicKey(name="log.example", key=bytes(range(32))))
    'log.example+5d23591e+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f'
    """

    name: str
    key: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.key) != _KEY_BYTES:
            raise NoteRefused(f"public key has {len(self.key)} bytes, not {_KEY_BYTES}")

    @property
    def id(self) -> bytes:
        """The first 4 bytes of the sha256 of name, newline, 0x01 and key: a hint which key signed, no proof."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:_ID_BYTES]

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Return the key of a line `name+id+base64`; raises NoteRefused unless `str` gives the same line."""
        name, key_id, key = _key_material(text, "public key")
        found = cls(name=name, key=key)
        if found.id != key_id:
            raise NoteRefused(f"public key of {name!a} has the id {found.id.hex()}, not {key_id.hex()}")
        return found

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.key).decode()}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Return whether `signature` is this key's over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, kw_only=True)
class PrivateKey:
    """Who signs: a name and the 32-byte seed of an Ed25519 key, which no message and no `repr` shows."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.seed) != _KEY_BYTES:
            raise NoteRefused(f"seed has {len(self.seed)} bytes, not {_KEY_BYTES}")

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this one signs."""
        key = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return PublicKey(name=self.name, key=key.public_bytes_raw())

    @property
    def text(self) -> str:
        """The key as it is kept: `PRIVATE+KEY+name+id+base64`. A secret."""
        data = base64.b64encode(_ED25519 + self.seed).decode()
        return f"{_PRIVATE}{self.name}+{self.public.id.hex()}+{data}"

    @classmethod
    def parse(cls, text: str) -> PrivateKey:
        """Return the key of a line that `text` gives; raises NoteRefused for any other."""
        if not text.startswith(_PRIVATE):
            raise NoteRefused(f"private key does not begin with {_PRIVATE!r}")
        name, key_id, seed = _key_material(text.removeprefix(_PRIVATE), "private key")
        found = cls(name=name, seed=seed)
        if found.public.id != key_id:
            raise NoteRefused(
                f"private key of {name!a} has the id {found.public.id.hex()}, not {key_id.hex()}"
            )
        return found

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`, 64 bytes; the same message has the same signature."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


# ---- notes


@dataclass(frozen=True, kw_only=True)
class Note:
    """A note that was opened: its text, and the known keys that signed it, in the order of their lines."""

    text: str
    signed_by: tuple[PublicKey, ...]


def _check_text(text: str, what: str) -> None:
    """Raise NoteRefused for an ASCII control character that is not a newline, or no newline at the end."""
    if found := _CONTROL_IN_TEXT.search(text):
        number = text.count("\n", 0, found.start()) + 1
        raise NoteRefused(f"{what}, line {number}: control character {found[0]!a}")
    if not text.endswith("\n"):
        raise NoteRefused(f"{what} does not end with a newline (line {text.count(chr(10)) + 1})")


def sign_note(text: str, *keys: PrivateKey) -> bytes:
    r"""Return `text` as a note signed by `keys`, a line each.

    Raises NoteRefused for a text no note can hold, for no key, more than 16, or one twice.

    >>> sign_note("hello\n", PrivateKey(name="a.example", seed=bytes(32))).decode()[:21]
    'hello\n\n— a.example Kl'
    """
    _check_text(text, "text")
    message = _encoded(text, "text")
    if not 1 <= len(keys) <= SIGNATURES_MAX:
        raise NoteRefused(f"a note has 1 to {SIGNATURES_MAX} signatures, not {len(keys)}")
    signers = [key.public for key in keys]
    if len({(signer.name, signer.id) for signer in signers}) < len(keys):
        raise NoteRefused("a key signs a note once")
    lines = [
        f"— {key.name} {base64.b64encode(signer.id + key.sign(message)).decode()}\n"
        for key, signer in zip(keys, signers, strict=True)
    ]
    return message + b"\n" + "".join(lines).encode()


def _signature(line: str, number: int) -> tuple[str, bytes, bytes]:
    """Return name, key id and signature of a line."""
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—":
        raise NoteRefused(f"line {number}: not '— name base64', one space each: {line[:80]!a}")
    try:
        _check_name(parts[1])
        raw = from_base64(parts[2])
    except ValueError as error:
        raise NoteRefused(f"line {number}: {error}") from None
    if len(raw) <= _ID_BYTES:
        raise NoteRefused(f"line {number}: signature of {len(raw)} bytes, at least {_ID_BYTES + 1} expected")
    return parts[1], raw[:_ID_BYTES], raw[_ID_BYTES:]


def open_note(raw: bytes, keys: Iterable[PublicKey], *, bytes_max: int = NOTE_BYTES_MAX) -> Note:
    """Return the text of a signed note and who of `keys` signed it.

    Every line of a known key must verify, a known key signs once, and at least one must sign; lines of other keys
    must be well formed and are ignored. Raises NoteRefused for anything else.
    """
    if len(raw) > bytes_max:
        raise NoteRefused(f"note has {len(raw)} bytes, above {bytes_max}")
    try:
        whole = raw.decode()
    except UnicodeDecodeError as error:
        number = raw.count(b"\n", 0, error.start) + 1
        raise NoteRefused(f"line {number}: byte {error.start} of the note is not UTF-8") from None
    _check_text(whole, "note")
    text, blank, signatures = whole.rpartition("\n\n")
    if not blank:
        raise NoteRefused("note has no blank line before its signatures")
    text += "\n"
    lines = signatures.removesuffix("\n").split("\n")
    first = text.count("\n") + 2
    if not signatures:
        raise NoteRefused(f"line {first}: note ends where its signatures should begin")
    if len(lines) > SIGNATURES_MAX:
        raise NoteRefused(
            f"line {first + SIGNATURES_MAX}: more than {SIGNATURES_MAX} signatures ({len(lines)})"
        )
    known = _by_name_and_id(keys)
    message = text.encode()
    signed_by: list[PublicKey] = []
    for number, line in enumerate(lines, first):
        name, key_id, signature = _signature(line, number)
        key = known.get((name, key_id))
        if key is None:
            continue
        if key in signed_by:
            raise NoteRefused(f"line {number}: second signature of {name} with key {key_id.hex()}")
        if not key.verifies(signature, message):
            raise NoteRefused(f"line {number}: signature of {name} with key {key_id.hex()} does not verify")
        signed_by.append(key)
    if not signed_by:
        raise NoteRefused(f"none of the {len(lines)} signatures is of a known key (lines {first} and on)")
    return Note(text=text, signed_by=tuple(signed_by))


def _by_name_and_id(keys: Iterable[PublicKey]) -> dict[tuple[str, bytes], PublicKey]:
    known: dict[tuple[str, bytes], PublicKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.id), key) != key:
            raise NoteRefused(f"two known keys of {key.name} share the id {key.id.hex()}")
    return known


# ---- checkpoints


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    r"""The head of a log: whose log, how many leaves, and their root. Raises NoteRefused for what has no text.

    >>> Checkpoint(origin="log.example", size=7, root=bytes(32)).text
    'log.example\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n'
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or _CONTROL.search(self.origin):
            raise NoteRefused(
                f"checkpoint, line 1: origin {self.origin!a} is empty or has a control character"
            )
        _encoded(self.origin, "checkpoint, line 1: origin")
        if not 0 <= self.size <= SIZE_MAX:
            raise NoteRefused(f"checkpoint, line 2: no log has the size {self.size}")
        if len(self.root) != _ROOT_BYTES:
            raise NoteRefused(f"checkpoint, line 3: root has {len(self.root)} bytes, not {_ROOT_BYTES}")

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Return the checkpoint of a note's text; raises NoteRefused for any text but the one `text` gives.

        Extension lines are refused too: nobody who audits a log could check them.
        """
        _check_text(text, "checkpoint")
        lines = text.removesuffix("\n").split("\n")
        if len(lines) != 3:
            raise NoteRefused(f"checkpoint has {len(lines)} lines, not 3")
        origin, size, root = lines
        if not _DECIMAL.fullmatch(size):
            raise NoteRefused(f"checkpoint, line 2: {size[:80]!a} is no decimal without leading zeros")
        try:
            raw = from_base64(root)
        except ValueError as error:
            raise NoteRefused(f"checkpoint, line 3: {error}") from None
        return cls(origin=origin, size=int(size), root=raw)

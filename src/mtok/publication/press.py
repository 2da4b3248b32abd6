"""The press of a store: what every publication has in common, whatever is published.

It refuses to begin where it must not sign, completes what was interrupted, stamps the time, writes the entries that
open and close a publication, and seals it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from mtok.archive import Store
from mtok.calendar import SECOND, day_of, format_instant, parse_instant
from mtok.canonical import sha256_hex
from mtok.errors import BadCall, EnvironmentFailed
from mtok.methodology import in_force, load
from mtok.methodology.registry import VERSIONS, documents
from mtok.notes import Checkpoint, PrivateKey, PublicKey
from mtok.progress import Progress
from mtok.publication.editions import Edition, Files
from mtok.publication.entries import Entries, Entry, read_entries
from mtok.publication.keys import Keyring, keyring_of
from mtok.publication.log import Log
from mtok.publication.marks import MarkPrint
from mtok.publication.policy import load_policy
from mtok.publication.published import FOLDER, Published
from mtok.publication.remaking import remake
from mtok.publication.sealing import Pending, Sealing
from mtok.publication.vintages import Vintages

_MILLISECOND: Final = 1000


Outside = Callable[[str], Path | None]
"""By the origin of a log, the file outside the store that remembers its last head; None where nobody does."""


def nowhere(_: str) -> None:
    """Remember the head of no log outside its store."""


class Press:
    """Publishes in the log of a store, whose lock the caller holds.

    now : the instant it is asked at
    methodology : the version in force on the last day that is over (R-12) · captures : all that the register lists
    Raises BadCall without a key, AnswerIsNo or EnvironmentFailed where it must not sign.
    """

    def __init__(self, store: Store, now: int, outside: Outside, progress: Progress) -> None:
        self.store = store
        self.instant = now
        self.methodology = in_force(day_of(now) - 1)
        self.policy = load_policy()
        self._progress = progress
        self._keyring = keyring_of(store)
        if not self._keyring.private():
            current_key(self._keyring, Published(store.path / FOLDER))  # says which one is missing
        size = Log(store.path / FOLDER / "log").check(self._keyring.public())
        self.published = Published(store.path / FOLDER)
        self.key = current_key(self._keyring, self.published)
        origin = self.key.public.name
        self._sealing = Sealing(self.published.folder, origin, outside(origin))
        self.warning = self._sealing.refuse_behind()
        pending = self._sealing.pending()
        self._sealing.refuse_torn(size, pending)
        self.resumed = pending is not None
        if pending is not None:
            self._complete(pending)
        self.captures = store.register.read()
        self._refuse_wrong_clock()

    @property
    def known_at(self) -> str:
        """The instant the next publication is stamped with: now, and always after the last one."""
        stamped, last = self.instant - self.instant % _MILLISECOND, self.published.known_at
        return format_instant(stamped if last is None else max(stamped, last + _MILLISECOND))

    def publish_editions(
        self, editions: Sequence[Edition], failures: Sequence[tuple[str, str, str]] = ()
    ) -> None:
        """Publish dates, in order. failures : (date, stage, code) of those that could not be determined."""
        entries = Entries(self.known_at)
        files: Files = {}
        proofs: dict[str, int] = {}
        methodologies = sorted({record.methodology for edition in editions for record in edition.records})
        for methodology in methodologies or [self.methodology]:
            files |= self._announce(entries, methodology)
        failed = {date: (stage, code) for date, stage, code in failures}
        by_date = {edition.date: edition for edition in editions}
        for date in sorted(by_date.keys() | failed.keys()):
            if date in failed:
                stage, code = failed[date]
                for series in load(self.methodology).series:
                    entries.undetermined(series.series, self.methodology, date, stage, code)
                continue
            edition = by_date[date]
            files |= edition.files
            if not self._has_raw(date):
                captures, listed = edition.raw
                sha256 = sha256_hex(listed)
                entries.raw(date, captures, sha256)
                files[f"raw/{date}/{sha256}.json"] = listed
            for record in edition.records:
                proofs[f"proofs/{record.series}/{date}.{record.vintage}.tlog-proof"] = len(entries.listed)
                entries.record(record)
            proofs[f"proofs/prices/{edition.name}.tlog-proof"] = len(entries.listed)
            entries.prices(
                date, edition.stage, edition.constituents, edition.prices.path, edition.prices.sha256
            )
        self._publish(entries, files, proofs)

    def publish_marks(self, marks: Sequence[MarkPrint]) -> None:
        """Publish marks, each of which `refuse_unfit` lets pass after those before it in order."""
        entries = Entries(self.known_at)
        files = self._announce(entries, self.methodology)
        proofs: dict[str, int] = {}
        for mark in sorted(marks, key=lambda mark: mark.place):
            proofs[mark.proof] = len(entries.listed)
            entries.mark(**mark.fields)
        self._publish(entries, files, proofs)

    def publish_notice(self, kind: str, text: str, **concerning: str | None) -> None:
        """Publish a notice."""
        entries = Entries(self.known_at)
        files = self._announce(entries, self.methodology)
        entries.notice(kind, text, **concerning)
        self._publish(entries, files, {})

    def unannounced_keys(self) -> list[PrivateKey]:
        """Return the keys of this log that are in the keyring and that the log has never named."""
        named = {str(self.key.public)}
        for entry in self.published.entries:
            named |= {entry[name] for name in ("old_key", "new_key") if name in entry}
        name = self.key.public.name
        return [
            key for key in self._keyring.private() if key.public.name == name and str(key.public) not in named
        ]

    def rotate(self, new: PrivateKey) -> None:
        """Publish that `new`, which is in the keyring, signs from now on."""
        old = self.key
        message = rotation_message(old.public, new.public)
        self.publish_notice(
            "key_rotation",
            f"From the next publication on this log is signed by key {new.public.id.hex()}.",
            old_key=str(old.public),
            new_key=str(new.public),
            old_signature=base64.b64encode(old.sign(message)).decode(),
            new_signature=base64.b64encode(new.sign(message)).decode(),
        )

    def _announce(self, entries: Entries, methodology: str) -> Files:
        """Announce a version where the log does not have it as it is now; return the files that belong to it."""
        version, found = load(methodology), documents(methodology)
        [listed] = [one for one in VERSIONS if one.methodology == methodology]
        assert listed.effective_from is not None, f"{methodology} is chosen by name alone"
        rulebook = found.pop("rulebook.md")
        files = {f"methodology/{methodology}/{name}": raw for name, raw in found.items()}
        files[f"rulebooks/{sha256_hex(rulebook)}.md"] = rulebook
        files[f"policies/{self.policy.sha256}.toml"] = self.policy.raw
        announced = [
            entry
            for entry in self.published.entries
            if entry["type"] == "method" and entry["methodology"] == methodology
        ]
        now = (sha256_hex(rulebook), self.policy.sha256)
        before = [(entry["rulebook_sha256"], entry["policy_sha256"]) for entry in announced[-1:]]
        if before == [now]:
            return {}
        reason = "the text of the rulebook or the policy has changed" if before else "first publication"
        entries.method(version, listed.effective_from, *now, reason)
        return files

    def _has_raw(self, date: str) -> bool:
        """Whether the captures of a day are in the log: they are listed once, when it is first published."""
        return any(entry["type"] == "raw" and entry["date"] == date for entry in self.published.entries)

    def _publish(self, entries: Entries, files: Files, proofs: dict[str, int]) -> None:
        """Close a publication with the as-of table, freeze it, and complete it."""
        vintages = Vintages([*self.published.entries, *read_entries(entries.listed)])
        entries.asof(vintages.table())
        size = self.published.size
        pending = Pending(
            size=size,
            known_at=self.known_at,
            entries=[entry.decode() for entry in entries.listed],
            files=files,
            proofs={path: size + index for path, index in proofs.items()},
        )
        self._sealing.decide(pending)
        self._complete(pending)

    def _complete(self, pending: Pending) -> Checkpoint:
        keys = [self.key]
        for entry in read_entries(entry.encode() for entry in pending.entries):
            if entry.get("kind") == "key_rotation":
                keys = [self._keyring.find(PublicKey.parse(entry[name])) for name in ("old_key", "new_key")]
        day = day_of(parse_instant(pending.known_at)) - 1
        checkpoint = self._sealing.complete(
            pending,
            keys,
            lambda: remake(
                Published(self.published.folder, pending.new_size), keys[-1].public, self.policy, day
            ),
            self._progress,
        )
        self.published = Published(self.published.folder)
        self.key = keys[-1]
        return checkpoint

    def _refuse_wrong_clock(self) -> None:
        """Raise EnvironmentFailed where the clock is behind what has happened already, or was off the server's when
        that last answered: a `known_at` of the future could never be taken back.
        """
        last = self.published.known_at
        if last is not None and self.instant < last - self.policy.clock_skew_max:
            raise EnvironmentFailed(
                "clock_behind",
                f"this machine's clock says {format_instant(self.instant)}; the last publication was at "
                f"{format_instant(last)}",
                "Set the clock (`timedatectl`, an NTP service) and run the same command again; nothing was signed.",
            )
        answered = [one for one in self.captures if one.server_date and not one.failure]
        for capture in answered[-1:]:
            ahead = capture.instant - parse_instant(capture.server_date or "")
            if abs(ahead) > self.policy.clock_skew_max:
                raise EnvironmentFailed(
                    "clock_wrong",
                    f"this machine's clock said {capture.captured_at} when the server answered at "
                    f"{capture.server_date}: {abs(ahead) // SECOND} s off, above "
                    f"{self.policy.clock_skew_max // SECOND} s",
                    "Set the clock (`timedatectl`, an NTP service) and collect again (`mtok run`); nothing was signed.",
                )


def rotation_message(old: PublicKey, new: PublicKey) -> bytes:
    """Return what both keys sign when one replaces the other (docs/formats.md, "Key rotation")."""
    return f"mtok key rotation\n{old.name}\n{old}\n{new}\n".encode()


def current_key(keyring: Keyring, published: Published) -> PrivateKey:
    """Return the key that signs now. Raises BadCall or EnvironmentFailed where it is not at hand."""
    rotations: list[Entry] = [entry for entry in published.entries if entry.get("kind") == "key_rotation"]
    if rotations:
        return keyring.find(PublicKey.parse(rotations[-1]["new_key"]))
    keys = keyring.private()
    if published.size:
        return keyring.find(_signer(keyring, published))
    if not keys:
        raise BadCall(
            "key_missing",
            f"{keyring.folder} has no signing key",
            "Make one: mtok keys new --origin index.example.org/log",
        )
    if len(keys) > 1:
        raise BadCall(
            "key_ambiguous",
            f"{keyring.folder} has {len(keys)} keys and nothing is published yet",
            "Leave the one there that is to sign.",
        )
    return keys[0]


def _signer(keyring: Keyring, published: Published) -> PublicKey:
    """Return who signed a log whose key was never replaced: a key of the keyring, else the one `vkey` names."""
    try:
        return published.log.signers(keyring.public())[0]
    except EnvironmentFailed:
        pass
    path = published.folder / "vkey"
    try:
        return PublicKey.parse(path.read_text("ascii").removesuffix("\n"))
    except (OSError, ValueError):
        raise EnvironmentFailed(
            "publication_damaged",
            f"no key in {keyring.folder} has signed the log, and {path} does not name the one that has",
            "Copy the folder publication/ from the mirror or a backup over this one, and put the key back.",
        ) from None

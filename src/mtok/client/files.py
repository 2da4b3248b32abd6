"""Files by digest: read once, compared with what the log and SHA256SUMS say, and nothing there that neither names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mtok.canonical import sha256_hex
from mtok.client.content import encode, quoted
from mtok.client.findings import Findings
from mtok.client.log import LOG_FOLDER, Log
from mtok.client.source import Missing, Source, Unreadable, bytes_max, is_safe
from mtok.notes import NoteRefused, PublicKey, open_note
from mtok.progress import Progress

SUMS: Final = "SHA256SUMS"
PROOFS_FOLDER: Final = "proofs/"
_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)", re.ASCII)
_DAMAGED: Final = "Ask for this file again; the digest says which bytes are right."


class Files:
    """The files of a publication outside the log. Each is read once; its digest is remembered.

    implied : path → digest of every file that never changes, as the log says
    """

    def __init__(self, source: Source, findings: Findings) -> None:
        self._source = source
        self._findings = findings
        self._digests: dict[str, str | None] = {}
        self.implied: dict[str, str] = {}

    def read(self, path: str, sha256: str | None = None) -> bytes | None:
        """Return the bytes of a file, None with a finding when it is not there or has not the digest `sha256`."""
        if self._digests.get(path, "") is None:
            return None  # found before
        raw = self._taken(path)
        if raw is None:
            return None
        self._digests[path] = sha256_hex(raw)
        return raw if sha256 is None or self._is_right(path, sha256) else None

    def again(self, path: str) -> bytes | None:
        """Return the bytes of a file that was read before, None when they are no longer the same."""
        try:
            raw = self._source.read(path)
        except (Missing, Unreadable):
            return None
        return raw if sha256_hex(raw) == self._digests.get(path) else None

    def has(self, path: str, sha256: str) -> bool:
        """Return whether a file has a digest, with a finding when not. It is not held in memory."""
        return self._digest(path) is not None and self._is_right(path, sha256)

    def imply(self, path: str, sha256: str) -> None:
        """Note that the log says of a file that it is there and has this digest."""
        self.implied[path] = sha256

    def digest(self, path: str) -> str | None:
        """Return the digest of a file, None with a finding when it is not there."""
        return self._digest(path)

    def _digest(self, path: str) -> str | None:
        if path not in self._digests:
            try:
                self._digests[path] = self._source.digest(path)
            except (Missing, Unreadable) as error:
                self._digests[path] = None
                self._findings.add(error.code, path, error.found, error.remedy)
        return self._digests[path]

    def _taken(self, path: str) -> bytes | None:
        try:
            return self._source.read(path)
        except (Missing, Unreadable) as error:
            self._digests[path] = None
            self._findings.add(error.code, path, error.found, error.remedy)
            return None

    def _is_right(self, path: str, sha256: str) -> bool:
        found = self._digests[path]
        if found == sha256:
            return True
        self._findings.add("file_digest", path, f"{sha256} expected, {found} found", _DAMAGED)
        return False


class Sums:
    """SHA256SUMS, opened: digest by path. Empty, with a finding, when it cannot be believed."""

    def __init__(self, source: Source, log: Log, findings: Findings) -> None:
        self.listed: dict[str, str] = {}
        self.opened = False
        try:
            raw = source.read(SUMS)
        except (Missing, Unreadable) as error:
            findings.add(error.code, SUMS, error.found, error.remedy)
            return
        try:
            note = open_note(raw, log.keys, bytes_max=bytes_max(SUMS))
        except NoteRefused as error:
            findings.add("sums_refused", SUMS, str(error)[:300])
            return
        expected: set[PublicKey] = log.signers_of(log.tree.size)
        if not set(note.signed_by) & expected:
            findings.add("signer_wrong", SUMS, f"signed by {', '.join(map(str, note.signed_by))}")
        self.opened = True
        self._read(note.text, findings)

    def _read(self, text: str, findings: Findings) -> None:
        before = ""
        for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            match = _LINE.fullmatch(line)
            path = match[2] if match else ""
            if match is None or not is_safe(path) or path <= before:
                findings.add(
                    "sums_refused", f"{SUMS}, line {number}", f"no line of a sorted list: {quoted(line)}"
                )
                continue
            if path == SUMS or path.startswith((LOG_FOLDER, PROOFS_FOLDER)):
                findings.add("sums_refused", f"{SUMS}, line {number}", f"{path} does not belong there")
                continue
            before = path
            self.listed[path] = match[1]

    def under(self, folder: str) -> list[str]:
        """Return the listed paths of a folder."""
        return [path for path in self.listed if path.startswith(folder)]

    def check(self, files: Files, findings: Findings, progress: Progress) -> None:
        """Compare every listed file with its digest, and the list with what the log implies."""
        for done, (path, sha256) in enumerate(self.listed.items()):
            progress("comparing sums", done, len(self.listed))
            if path in files.implied:
                if files.implied[path] != sha256:
                    findings.add(
                        "sums_differ", f"{SUMS}, {path}", f"the log says {files.implied[path]}, not {sha256}"
                    )
            elif (found := files.digest(path)) is not None and found != sha256:
                findings.add("sums_differ", path, f"{sha256} expected, {found} found", _DAMAGED)
            findings.count("files")
        progress("comparing sums", len(self.listed), len(self.listed))
        if self.opened:
            for path in sorted(files.implied.keys() - self.listed.keys()):
                findings.add("sums_missing", f"{SUMS}, {path}", "not listed")


def check_nothing_else(paths: Iterable[str], expected: set[str], findings: Findings) -> None:
    """Find every file that neither the log nor SHA256SUMS names."""
    for path in paths:
        if path not in expected:
            findings.add(
                "file_unexpected", path if is_safe(path) else quoted(path), "nothing names this file"
            )


def check_methodology(
    entry: dict[str, str], sums: Sums, files: Files, findings: Findings, where: str
) -> bytes | None:
    """Check the files a `method` entry names; returns its parameters, None with findings when they are not there."""
    folder = f"methodology/{entry['methodology']}/"
    named = {
        f"rulebooks/{entry['rulebook_sha256']}.md": entry["rulebook_sha256"],
        f"policies/{entry['policy_sha256']}.toml": entry["policy_sha256"],
        f"{folder}parameters.toml": entry["parameters_sha256"],
    }
    for path, sha256 in named.items():
        files.imply(path, sha256)
    parameters = files.read(f"{folder}parameters.toml", entry["parameters_sha256"])
    for path, sha256 in list(named.items())[:2]:
        files.has(path, sha256)
    rules: dict[str, str] = {}
    for path in sums.under(f"{folder}rules/"):
        name = path.removeprefix(f"{folder}rules/")
        if "/" not in name and name.endswith(".sql") and (found := files.digest(path)) is not None:
            rules[name] = found
            files.imply(path, found)
    if sums.opened and (digest := sha256_hex(encode(rules))) != entry["rules_sha256"]:
        findings.add(
            "file_digest",
            f"{folder}rules/",
            f"{where} says {entry['rules_sha256']}, the {len(rules)} files of rules give {digest}",
            _DAMAGED,
        )
    return parameters

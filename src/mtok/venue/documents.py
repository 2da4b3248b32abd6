"""The rules, parameters, rulebook and policy as they were published, each held against the digest the log names."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mtok.canonical import canonical_bytes, sha256_hex
from mtok.errors import AnswerIsNo, BadCall, EnvironmentFailed
from mtok.publication.entries import Entry
from mtok.venue.opened import Opened


@dataclass(frozen=True, kw_only=True)
class Documents:
    """What a `method` entry names, and where each file is.

    entry : the last one of the version · entries : all of them, of any version, in order, with their place in the log
    """

    opened: Opened
    entry: Entry
    entries: tuple[tuple[int, Entry], ...]

    @property
    def methodology(self) -> str:
        """The version."""
        return str(self.entry["methodology"])

    @property
    def rulebook_path(self) -> str:
        """Where the rulebook is."""
        return f"rulebooks/{self.entry['rulebook_sha256']}.md"

    @property
    def parameters_path(self) -> str:
        """Where the parameters are."""
        return f"methodology/{self.methodology}/parameters.toml"

    @property
    def policy_path(self) -> str:
        """Where the policy is."""
        return f"policies/{self.entry['policy_sha256']}.toml"

    def rule_path(self, name: str) -> str:
        """Return where a rule's file is."""
        return f"methodology/{self.methodology}/rules/{name}"

    @cached_property
    def rulebook(self) -> str:
        """The rulebook, Markdown. Raises EnvironmentFailed where it is not the published one; so do the others."""
        return self._read(self.rulebook_path, self.entry["rulebook_sha256"]).decode()

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The parameters as TOML has them."""
        return tomllib.loads(self._read(self.parameters_path, self.entry["parameters_sha256"]).decode())

    @cached_property
    def policy(self) -> dict[str, Any]:
        """The publication policy as TOML has it."""
        return tomllib.loads(self._read(self.policy_path, self.entry["policy_sha256"]).decode())

    @cached_property
    def rules(self) -> dict[str, str]:
        """The SQL files by name, in order."""
        folder = self.opened.folder / "methodology" / self.methodology / "rules"
        raws = {path.name: path.read_bytes() for path in sorted(folder.glob("*.sql"))}
        digests = {name: sha256_hex(raw) for name, raw in raws.items()}
        if sha256_hex(canonical_bytes(digests)) != self.entry["rules_sha256"]:
            raise _damaged(f"methodology/{self.methodology}/rules")
        return {name: raw.decode() for name, raw in raws.items()}

    def _read(self, path: str, sha256: str) -> bytes:
        target = self.opened.folder / path
        raw = target.read_bytes() if target.is_file() else b""
        if sha256_hex(raw) != sha256:
            raise _damaged(path)
        return raw


def documents_of(opened: Opened, methodology: str | None = None) -> Documents:
    """Return the documents of a version, without one of the version in force on the last published date.

    Raises BadCall for an unknown version, AnswerIsNo while nothing is published, EnvironmentFailed for a damaged log.
    """
    entries = [one for one in enumerate(opened.published.entries) if one[1]["type"] == "method"]
    if not entries:
        raise AnswerIsNo(
            "nothing_published",
            "nothing is published here yet, and so no methodology",
            "The first publication announces the version it is made by.",
        )
    known = list(dict.fromkeys(str(entry["methodology"]) for _, entry in entries))
    asked = opened.methodology() if methodology is None else methodology
    found = [entry for _, entry in entries if entry["methodology"] == asked]
    if not found:
        raise BadCall(
            "methodology_unknown",
            f"methodology {asked[:40]!r} is unknown",
            f"Published: {', '.join(known)}.",
        )
    return Documents(opened=opened, entry=found[-1], entries=tuple(entries))


def _damaged(path: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        "publication_damaged",
        f"{path} is not what the log says was published",
        "The page Status says what is damaged and what holds; tell the operator.",
    )

"""The rules, parameters, rulebook and policy as they were published, each held against the digest the log names.

While the log cannot be read they are held against SHA256SUMS, which does not say when a version was announced.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
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

    entry : the last one of the version, without its dates where the log cannot be read
    entries : all of them, of any version, in order, with their place in the log
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
        within = f"methodology/{self.methodology}/rules"
        names = sorted(path.name for path in (self.opened.folder / within).glob("*.sql"))
        raws = {name: self.opened.raw(f"{within}/{name}") or b"" for name in names}
        digests = {name: sha256_hex(raw) for name, raw in raws.items()}
        if sha256_hex(canonical_bytes(digests)) != self.entry["rules_sha256"]:
            raise _damaged(within)
        return {name: raw.decode() for name, raw in raws.items()}

    def _read(self, path: str, sha256: str) -> bytes:
        raw = self.opened.raw(path)
        if raw is None or sha256_hex(raw) != sha256:
            raise _damaged(path)
        return raw


def documents_of(opened: Opened, methodology: str | None = None) -> Documents:
    """Return the documents of a version, without one of the version in force on the last published date.

    Raises BadCall for an unknown version, AnswerIsNo while nothing is published, EnvironmentFailed for a damaged log.
    """
    readable = opened.damage is None
    entries = list(_announced(opened) if readable else enumerate(_summed(opened)))
    if not entries and not readable:
        raise _damaged("the log")
    if not entries:
        raise AnswerIsNo(
            "nothing_published",
            "nothing is published here yet, and so no methodology",
            "The first publication announces the version it is made by.",
        )
    known = list(dict.fromkeys(str(entry["methodology"]) for _, entry in entries))
    asked = methodology or (opened.methodology() if readable else known[-1])
    found = [entry for _, entry in entries if entry["methodology"] == asked]
    if not found:
        raise BadCall(
            "methodology_unknown",
            f"methodology {asked[:40]!r} is unknown",
            f"Published: {', '.join(known)}.",
        )
    return Documents(opened=opened, entry=found[-1], entries=tuple(entries if readable else ()))


def _announced(opened: Opened) -> Iterator[tuple[int, Entry]]:
    """Yield the `method` entries of the log, with their places in it."""
    for index, entry in enumerate(opened.published.entries):
        if entry["type"] == "method":
            yield index, entry


def _summed(opened: Opened) -> Iterator[Entry]:
    """Yield what SHA256SUMS says of each version: the digests alone."""
    sums = opened.sums
    for path in sums:
        methodology = path.removeprefix("methodology/").removesuffix("/parameters.toml")
        if path == f"methodology/{methodology}/parameters.toml":
            folder = f"methodology/{methodology}/rules/"
            rules = {name.removeprefix(folder): sums[name] for name in sums if name.startswith(folder)}
            yield {
                "methodology": methodology,
                "rulebook_sha256": sums.get("rulebook.md", ""),
                "rules_sha256": sha256_hex(canonical_bytes(rules)),
                "parameters_sha256": sums[path],
                "policy_sha256": sums.get("policy.toml", ""),
            }


def _damaged(path: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        "publication_damaged",
        f"{path} is not what the log says was published",
        "The page Status says what is damaged and what holds; tell the operator.",
    )

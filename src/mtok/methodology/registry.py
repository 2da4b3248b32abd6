"""Which versions there are, what they consist of, and which is in force on a fixing date (R-12).

A version is a folder of SQL and one parameter file. Both are frozen by the digests below: what was published
under a version can be computed again under it for ever. A family with the rules of another has no copy of its SQL:
`rules/shared.toml` of its folder names the files by digest.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final, NamedTuple

from mtok.canonical import canonical_bytes, sha256_hex
from mtok.errors import BadCall, EnvironmentFailed


@dataclass(frozen=True, kw_only=True)
class Version:
    """An entry of the registry.

    effective_from : the first fixing date (a day) it is in force on; None: never by date, it is chosen by name
    """

    methodology: str
    folder: str
    effective_from: int | None
    rules_sha256: str
    parameters_sha256: str


VERSIONS: Final = (
    Version(
        methodology="1.0",
        folder="v1",
        effective_from=0,
        rules_sha256="cce35e7b8bcd1db519d7340ec7d9e69a10ef8e96842f36f96b2f32b2553e4f61",
        parameters_sha256="cfcb0677af0075ee322bbf645415635bb1e2a5500110e3b49219c41fd3d626af",
    ),
    Version(
        methodology="completion-1.0",
        folder="completion_v1",
        effective_from=None,
        rules_sha256="cce35e7b8bcd1db519d7340ec7d9e69a10ef8e96842f36f96b2f32b2553e4f61",
        parameters_sha256="c99d42ef5b930f6267b903533e7269fd1ea097794150ba17422b261eecf3c4ea",
    ),
)
"""Of each family the oldest first. Never edit an entry of a published version: copy its folder forward and add one."""


TOTAL_TOKENS, COMPLETION_TOKENS = "total_tokens", "completion_tokens"
"""What a version weighs by."""

_SHARED: Final = "shared.toml"
"""In `rules/` of a folder: `folder`, whose SQL its rules are, and the sha256 of each file."""


class Rule(NamedTuple):
    """One SQL file: `name` is the table it makes, `text` the query, `file` where to read it."""

    name: str
    file: str
    text: str


class Series(NamedTuple):
    """A series of R-1. own_providers : the provider names of its company, for `first_party_gap` alone."""

    series: str
    company: str
    author: str
    name_prefix: str
    own_providers: tuple[str, ...]


class Parameters:
    """The parameters of a version, each an integer, a ratio or a list."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def number(self, section: str, name: str) -> int:
        """Return an integer parameter."""
        return int(self._content[section][name]["value"])

    def ratio(self, section: str, name: str) -> Fraction:
        """Return a ratio, exact."""
        numerator, denominator = self._content[section][name]["value"]
        return Fraction(numerator, denominator)

    def texts(self, section: str, name: str) -> list[str]:
        """Return a list of texts."""
        return list(self._content[section][name]["value"])

    def columns(self) -> dict[str, int]:
        """Return the parameters SQL reads: `section_name`, a ratio as `…_numerator` and `…_denominator`."""
        columns: dict[str, int] = {}
        for section, entries in self._content.items():
            if not isinstance(entries, dict):
                continue
            for name, entry in entries.items():
                match entry["value"]:
                    case int(value):
                        columns[f"{section}_{name}"] = value
                    case [int(numerator), int(denominator)]:
                        columns[f"{section}_{name}_numerator"] = numerator
                        columns[f"{section}_{name}_denominator"] = denominator
        return columns


@dataclass(frozen=True, kw_only=True)
class Methodology:
    """A version, loaded: its rules in order, its series and parameters, and the digests records name."""

    methodology: str
    unit: str
    weight_basis: str
    rules: tuple[Rule, ...]
    series: tuple[Series, ...]
    parameters: Parameters
    rules_sha256: str
    parameters_sha256: str


def in_force(day: int) -> str:
    """Return the methodology in force on a fixing date (R-12): the youngest already effective."""
    effective = [
        version
        for version in VERSIONS
        if version.effective_from is not None and version.effective_from <= day
    ]
    return effective[-1].methodology


@cache
def load(methodology: str) -> Methodology:
    """Return a version. Raises BadCall for an unknown one, EnvironmentFailed when its files are not the frozen ones."""
    version = next((version for version in VERSIONS if version.methodology == methodology), None)
    if version is None:
        known = ", ".join(version.methodology for version in VERSIONS)
        raise BadCall("methodology_unknown", f"methodology {methodology!r} is unknown", f"Known: {known}.")
    loaded = read(version)
    if (loaded.rules_sha256, loaded.parameters_sha256) != (version.rules_sha256, version.parameters_sha256):
        raise EnvironmentFailed(
            "methodology_changed",
            f"the files of methodology {methodology} are not those it was frozen with",
            "Install mtok again; a changed rule is a new version (R-12).",
        )
    return loaded


def documents(methodology: str) -> dict[str, bytes]:
    """Return the files of a version as they are: `rules/….sql`, `parameters.toml`, `rulebook.md`.

    Of a family that shares its SQL also `rules/shared.toml`, which says whose it is.
    """
    [version] = [version for version in VERSIONS if version.methodology == methodology]
    folder = _folder(version.folder)
    shared = folder / "rules" / _SHARED
    return {
        **{f"rules/{name}": raw for name, raw in _rule_files(folder)},
        **({f"rules/{_SHARED}": shared.read_bytes()} if shared.is_file() else {}),
        "parameters.toml": (folder / "parameters" / f"{methodology}.toml").read_bytes(),
        "rulebook.md": (folder / "rulebook.md").read_bytes(),
    }


def read(version: Version) -> Methodology:
    """Return a version as its files are now, with the digests they have now.

    Raises EnvironmentFailed (`methodology_changed`) when a file it shares is not the one it names.
    """
    folder = _folder(version.folder)
    rules = _rule_files(folder)
    raw_parameters = (folder / "parameters" / f"{version.methodology}.toml").read_bytes()
    content = tomllib.loads(raw_parameters.decode("utf-8"))
    return Methodology(
        methodology=content["methodology"],
        unit=content["unit"],
        weight_basis=content["weight_basis"],
        rules=tuple(
            Rule(name.split("_", 1)[1].removesuffix(".sql"), name, raw.decode("utf-8")) for name, raw in rules
        ),
        series=tuple(
            Series(**entry | {"own_providers": tuple(entry["own_providers"])}) for entry in content["series"]
        ),
        parameters=Parameters(content),
        rules_sha256=sha256_hex(canonical_bytes({name: sha256_hex(raw) for name, raw in rules})),
        parameters_sha256=sha256_hex(raw_parameters),
    )


def _folder(name: str) -> Traversable:
    return files("mtok.methodology") / name


def _rule_files(folder: Traversable) -> list[tuple[str, bytes]]:
    """Return name and bytes of the SQL of a version, in order: of its own folder, or those it shares."""
    shared = folder / "rules" / _SHARED
    if shared.is_file():
        return sorted(_shared_files(tomllib.loads(shared.read_text("utf-8"))))
    found = ((entry.name, entry) for entry in (folder / "rules").iterdir())
    return sorted((name, entry.read_bytes()) for name, entry in found if name.endswith(".sql"))


def _shared_files(content: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the files that `rules/shared.toml` names, each to the byte the one it means."""
    for name, sha256 in content["files"].items():
        raw = (_folder(content["folder"]) / "rules" / name).read_bytes()
        if sha256_hex(raw) != sha256:
            raise EnvironmentFailed(
                "methodology_changed",
                f"{content['folder']}/rules/{name} has the sha256 {sha256_hex(raw)}, shared as {sha256}",
                "Install mtok again; a changed rule is a new version (R-12).",
            )
        yield name, raw

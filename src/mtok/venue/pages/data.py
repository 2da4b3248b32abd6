"""Data: every published file with its size and digest, what the columns mean, licences, citation, mirrors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mtok.errors import AnswerIsNo, MtokError
from mtok.venue.answers import public
from mtok.venue.opened import Opened
from mtok.venue.pages.paging import page_of
from mtok.venue.place import opened

PAGE_ROWS: Final = 200
_USUAL: Final = "openai"
_WHAT: Final = {
    r"series/.*\.json": "the vintage in force of each date, with everything a point has; decimals as text",
    r"series/.*\.csv": "the same as a table; an empty cell is missing, never zero",
    r"series/.*\.parquet": "the same, typed: dates, instants, decimals, counts",
    r"vintages\..*": "every vintage of every series, so that what was said when is one query",
    r"latest\.json": "the last date of each series, and the size of the log",
    r"feeds/publications\..*": "values as they are published",
    r"feeds/revisions\..*": "values that were changed, or came late",
    r"feeds/notices\..*": "what users have to know",
    r"datapackage\.json": "every column described for programs (Data Package 2.0)",
    r"CITATION\.txt": "whose data these are, and how to cite a value",
    r"README\.txt": "what is where, and how to verify it",
    r"rulebook\.md": "the rules in force, for people",
    r"policy\.toml": "the publication policy in force",
    r"vkey": "the public key that signs now",
}
_FAMILIES: Final = {
    "records": "one value with all it was made from: constituents, prices, diagnostics, the move, evidence",
    "prices": "the posted price of every constituent of a date",
    "observations": "the facts the rules read of a date, enough to make its records again",
    "captures": "the price captures seen of a UTC day, by sha256",
    "raw": "all captures registered of a UTC day, failed attempts too",
    "methodology": "the rules as SQL, and their parameters",
    "rulebooks": "every rulebook there was",
    "policies": "every publication policy there was",
}
"""Folders of files that never change, and what is in them."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A file the sums name. size : in bytes, None where it is not there · what : in words"""

    path: str
    sha256: str
    size: int | None
    what: str


@dataclass(frozen=True, kw_only=True)
class Family:
    """A folder of files that never change. size : of all, in bytes · newest : path of one, to look at"""

    folder: str
    what: str
    files: int
    size: int
    newest: str


@public
def data(request: HttpRequest) -> HttpResponse:
    """Return the page: what changes file by file and what does not by folder, or the files of one folder."""
    now = opened()
    folder = request.GET.get("folder", "")
    if folder:
        return _listing(request, now, folder)
    files = [_file(now, path) for path in now.sums]
    context = {
        "title": "Data",
        "description": "Every published file with size and digest; columns, licences, citation, mirrors.",
        "files": [one for one in files if _folder(one.path) not in _FAMILIES],
        "families": [
            _family(name, [one for one in files if _folder(one.path) == name])
            for name in _FAMILIES
            if any(_folder(one.path) == name for one in files)
        ],
        "total": len(files),
        "size": sum(one.size or 0 for one in files),
        "columns": _columns(now),
        "citation": _text(now, "CITATION.txt"),
        "example": _example(now),
        "key": _text(now, "vkey").strip(),
        "summed": bool(now.sums),
    }
    return render(request, "data.html", context)


def _listing(request: HttpRequest, now: Opened, folder: str) -> HttpResponse:
    """Return the files of a folder. Raises AnswerIsNo for one that is not published."""
    paths = [path for path in now.sums if _folder(path) == folder]
    if folder not in _FAMILIES or not paths:
        known = ", ".join(name for name in _FAMILIES if any(_folder(path) == name for path in now.sums))
        raise AnswerIsNo(
            "page_unknown",
            f"no folder {folder[:40]!r} is published",
            f"Published: {known or 'nothing yet'}.",
        )
    newest_first = sorted(paths, key=lambda path: path.split("/")[-1:] if folder == "records" else [path])[
        ::-1
    ]
    page, pages = page_of(request.GET.get("page", ""), len(paths), PAGE_ROWS)
    context = {
        "title": f"Data: {folder}",
        "description": f"The files under {folder}/ with size and digest.",
        "folder": folder,
        "what": _FAMILIES[folder],
        "files": [_file(now, path) for path in newest_first[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]],
        "total": len(paths),
        "page": page,
        "pages": pages,
    }
    return render(request, "data_folder.html", context)


def _folder(path: str) -> str:
    return path.partition("/")[0]


def _file(now: Opened, path: str) -> File:
    target = now.folder / path
    what = next((words for form, words in _WHAT.items() if re.fullmatch(form, path)), "")
    return File(
        path=path,
        sha256=now.sums[path],
        size=target.stat().st_size if target.is_file() else None,
        what=what or _FAMILIES.get(_folder(path), ""),
    )


def _family(name: str, files: list[File]) -> Family:
    return Family(
        folder=name,
        what=_FAMILIES[name],
        files=len(files),
        size=sum(one.size or 0 for one in files),
        newest=max(one.path for one in files),
    )


def _text(now: Opened, path: str) -> str:
    """Return a file as text, empty where it is not the published one."""
    try:
        return now.read(path).decode() if path in now.sums else ""
    except MtokError:
        return ""


def _columns(now: Opened) -> list[dict[str, Any]]:
    """Return the columns of a table of points, as the published datapackage.json describes them."""
    content = _text(now, "datapackage.json")
    resources: Iterable[dict[str, Any]] = json.loads(content)["resources"] if content else ()
    fields = next((one["schema"]["fields"] for one in resources if one.get("format") == "parquet"), ())
    return [
        {**field, "description": field["description"].removesuffix(f" Unit: {field['unit']}.")}
        for field in fields
    ]


def _example(now: Opened) -> str:
    """Return the id of a series to show commands with."""
    names = [path[7:-4] for path in now.sums if re.fullmatch(r"series/[a-z0-9-]+\.csv", path)]
    return names[0] if names and _USUAL not in names else _USUAL

"""The files that change at each publication, made from all that was published."""

from __future__ import annotations

from mtok.calendar import format_instant
from mtok.methodology import in_force, load
from mtok.methodology.registry import documents
from mtok.notes import PublicKey
from mtok.publication.citations import citation_file, rankings_as_of
from mtok.publication.datapackage import datapackage_file
from mtok.publication.entries import notices_of
from mtok.publication.feeds import address, feeds
from mtok.publication.policy import Policy
from mtok.publication.published import Published
from mtok.publication.views import Files, latest_file, readme_file, series_files, vintages_files


def remake(published: Published, key: PublicKey, policy: Policy, day: int) -> Files:
    """Return the files by path. key : that signs now · day : whose methodology is shown as the one in force"""
    origin, size, known_at = key.name, published.size, format_instant(published.known_at or 0)
    methodology = in_force(day)
    order = {entry.series: place for place, entry in enumerate(load(methodology).series)}
    outlines = {vintage: published.outline(vintage) for vintage in published.vintages.all()}
    in_force_now = [outlines[vintage] for vintage in published.vintages.all_in_force()]
    names = sorted(
        {record.series for record in in_force_now}, key=lambda name: (order.get(name, len(order)), name)
    )
    latest = {record.series: record for record in in_force_now}
    files: Files = {
        "latest.json": latest_file(
            {name: latest[name] for name in names}, origin=origin, size=size, known_at=known_at
        ),
        "datapackage.json": datapackage_file(names, homepage=address(origin)),
        "CITATION.txt": citation_file(
            as_of=rankings_as_of(in_force_now),
            origin=origin,
            size=size,
            example=latest[names[0]] if names else None,
        ),
        "README.txt": readme_file(origin=origin, vkey=str(key)),
        "rulebook.md": documents(methodology)["rulebook.md"],
        "policy.toml": policy.raw,
        "vkey": f"{key}\n".encode(),
    }
    for name in names:
        files |= series_files(name, [record for record in in_force_now if record.series == name])
    files |= vintages_files(outlines.values())
    files |= feeds(
        outlines.values(),
        notices_of(published.entries),
        origin=origin,
        first_known_at=published.entries[0]["time"],
        reasons=policy.reasons,
    )
    return files

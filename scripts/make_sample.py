"""Make the bundled sample, src/mtok/sources/sample, from recorded OpenRouter responses: the same bytes each time.

python scripts/make_sample.py RECORDINGS          writes the files and says what they hold
python scripts/make_sample.py --check RECORDINGS  writes nothing; exit status 1 names the first difference

RECORDINGS holds `rankings-daily/` and `models/`, gzip files named by capture time.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mtok.calendar import day_of, format_date, format_instant, parse_date, parse_instant
from mtok.canonical import sha256_hex
from mtok.errors import BadInput, MtokError
from mtok.observations.payload import PayloadFault, decode_payload
from mtok.observations.slugs import split_slug
from mtok.sources.sample import SUMS, ModelsCapture, PostedRow, Pull, Run, VolumeDay, sums_line

SAMPLE: Final = Path(__file__).parents[1] / "src" / "mtok" / "sources" / "sample"
SAMPLE_BYTES_MAX: Final = 500_000
FIRST_DATE: Final = parse_date("2026-05-20")
LAST_DATE: Final = parse_date("2026-06-26")
INPUT_DAYS: Final = range(FIRST_DATE - 14, LAST_DATE + 2)
"""A fixing date reads the price captures of D−14 … D+1 (R-0); the recordings begin on 2026-05-12."""

AUTHORS: Final = {
    "openai": "",
    "google": "gemini-",
    "anthropic": "",
    "deepseek": "",
    "qwen": "",
    "moonshotai": "",
}
"""Author of the canonical slug → how the name has to start, for the six series of R-1."""

README: Final = """\
# The bundled sample

Facts of the fixing dates {first} … {last}, read from recorded OpenRouter responses by `scripts/make_sample.py`.
Nothing is invented, interpolated or corrected, and nothing but these facts was taken from the responses.

## Token volumes (`volumes.jsonl`, `pulls.jsonl`)

Totals a day and model from `GET /api/v1/datasets/rankings-daily`, {pull_count} pulls, rearranged by day:

{citations}

Licensed under CC BY 4.0. Recorded by github.com/wyl2607/llm-carbon-index (`data/raw/snapshots`).

## Posted prices (`prices.jsonl`, `captures.jsonl`)

The price facts are what `GET /api/v1/models` posted in {capture_count} captures, {captures_first} … {captures_last}, for
the models of OpenAI, Google Gemini, Anthropic, DeepSeek, Qwen and Moonshot AI: id, canonical slug, time of creation,
output modalities and price texts. OpenRouter states no licence for that endpoint; single facts are carried, no
response and no descriptive text. Recorded by github.com/jvrck/openrouterlist (`data/output.json`).

## Layout

UTF-8, one JSON object a line, keys in the order given here. Every sha256 is that of an original response,
uncompressed, as recorded. Instants and dates are UTC.

| file | one line is | keys |
|---|---|---|
| `pulls.jsonl` | a rankings-daily response, by time | `as_of`, `start_date`, `end_date`, `version`: its `meta`, verbatim; `sha256` |
| `volumes.jsonl` | a day | `date`; `as_of` and `sha256` of the latest pull that holds it; `tokens`: permaslug → total tokens, in the order of the response, `other` (the market tail) last |
| `captures.jsonl` | a models response, by time | `captured_at`, `sha256` |
| `prices.jsonl` | a state of a catalogue row, by `id` and time | `id`, `canonical_slug`, `created`, `output_modalities`; `pricing`: the whole object, USD per token (`image`, `request`, `web_search`: per unit), verbatim; `posted`: the runs of consecutive captures with exactly this state, each `first` and `last` `captured_at` and the `sha256` of the first |
| `SHA256SUMS` | a file of this folder | for `sha256sum --check` |

The rows of a day were the same in every pull that held it, so each day stands here once. The original behind a price
in a capture is the line of `captures.jsonl` with that `captured_at`. Rows whose `id` starts with `~` repeat another
row and are left out. The volumes prove themselves: a rendered rankings response, indented by two spaces and ended with a
newline, has the sha256 of its original.
"""


def read_recordings(folder: Path) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    """Yield (path, sha256 of the response, payload) by file name. Raises BadInput for a folder or file unfit for it."""
    paths = sorted(folder.glob("*.json.gz"))
    require(paths != [], f"{folder} holds no recorded responses (*.json.gz)")
    for path in paths:
        try:
            raw = gzip.decompress(path.read_bytes())
            yield path, sha256_hex(raw), decode_payload(raw)
        except (OSError, EOFError, PayloadFault) as error:
            raise BadInput("recording_unreadable", f"{path}: {error}", "Restore the recording.") from None


def require(holds: bool, found: str) -> None:
    """Raise BadInput when the recordings are not as the sample's format takes for granted."""
    if not holds:
        raise BadInput("recordings_unexpected", found, "The format of the sample has to change before this can go in.")


def read_pulls(folder: Path) -> tuple[list[Pull], list[VolumeDay]]:
    """Return the pulls by time and the days by date. Raises BadInput where two pulls differ about a day."""
    pulls: list[Pull] = []
    days: dict[str, VolumeDay] = {}
    for path, sha256, payload in read_recordings(folder):
        pull = msgspec.convert({**payload["meta"], "sha256": sha256}, Pull)
        require(not pulls or pulls[-1].as_of < pull.as_of, f"{path}: as_of {pull.as_of} is out of order")
        pulls.append(pull)
        held = rows_by_day(path, payload["data"])
        window = range(parse_date(pull.start_date), parse_date(pull.end_date) + 1)
        require(list(held) == [format_date(day) for day in window], f"{path}: days are not those of meta, in order")
        for date, tokens in held.items():
            known = list(days[date].tokens.items()) if date in days else list(tokens.items())
            require(known == list(tokens.items()), f"{path}: rows of {date} differ from an earlier pull's")
            days[date] = VolumeDay(date=date, as_of=pull.as_of, sha256=sha256, tokens=tokens)
    wanted = [format_date(day) for day in range(FIRST_DATE, LAST_DATE + 1)]
    require(sorted(days) == wanted, f"{folder}: days are not {wanted[0]} … {wanted[-1]} without a gap")
    return pulls, [days[date] for date in wanted]


def rows_by_day(path: Path, rows: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return date → permaslug → total tokens; both orders are those of the response."""
    days: dict[str, dict[str, str]] = {}
    for row in rows:
        require(list(row) == ["date", "model_permaslug", "total_tokens"], f"{path}: a row has keys {list(row)}")
        date, permaslug, total = row.values()
        tokens = days.setdefault(date, {})
        require(date == list(days)[-1], f"{path}: rows of {date} do not stand together")
        require(isinstance(total, str) and permaslug not in tokens, f"{path}: {date} {permaslug}: {total!r}")
        tokens[permaslug] = total
    for date, tokens in days.items():
        require(list(tokens)[-1] == "other", f"{path}: {date} does not end with the row `other`")
    return days


def read_captures(folder: Path) -> tuple[list[ModelsCapture], list[PostedRow]]:
    """Return the models captures by time and every state of a row of the six companies with its runs of captures."""
    captures: list[ModelsCapture] = []
    states: dict[bytes, PostedRow] = {}
    numbers: dict[bytes, list[int]] = {}
    for path, sha256, payload in read_recordings(folder):
        instant = instant_of(path)
        if day_of(instant) not in INPUT_DAYS:
            continue
        rows = [posted_row(path, row) for row in payload["data"] if belongs(path, row)]
        require(len({row.id for row in rows}) == len(rows), f"{path}: two rows with one id")
        for row in rows:
            state = msgspec.json.encode(row)
            states[state] = row
            numbers.setdefault(state, []).append(len(captures))
        captures.append(ModelsCapture(captured_at=format_instant(instant), sha256=sha256))
    last = max((day_of(parse_instant(capture.captured_at)) for capture in captures), default=0)
    require(last == LAST_DATE + 1, f"{folder}: the last capture is not of {format_date(LAST_DATE + 1)}")
    rows = [msgspec.structs.replace(row, posted=runs(numbers[state], captures)) for state, row in states.items()]
    return captures, sorted(rows, key=lambda row: (row.id, row.posted[0].first))


def instant_of(path: Path) -> int:
    """Return the capture time in a file name `YYYY-MM-DDTHHMMSSZ.json.gz`."""
    date, _, time = path.name.removesuffix("Z.json.gz").partition("T")
    hour, minute, second = time[:2], time[2:4], time[4:]
    return parse_instant(f"{date}T{hour}:{minute}:{second}Z")


def belongs(path: Path, row: dict[str, Any]) -> bool:
    """Say whether a row is one of the six companies' and no alias. Raises BadInput when that cannot be told."""
    if row["id"].startswith("~"):
        return False
    slug = split_slug(row["canonical_slug"])
    if slug is None:
        raise BadInput("recordings_unexpected", f"{path}: canonical_slug {row['canonical_slug']!r}", "")
    return slug.author in AUTHORS and slug.name.startswith(AUTHORS[slug.author])


def posted_row(path: Path, row: dict[str, Any]) -> PostedRow:
    """Return what the rules read of a row, without its runs. Raises BadInput for prices that are no texts."""
    require(all(isinstance(price, str) for price in row["pricing"].values()), f"{path}: pricing of {row['id']}")
    fields = {name: row[name] for name in ("id", "canonical_slug", "created", "pricing")}
    modalities = row["architecture"]["output_modalities"]
    return msgspec.convert({**fields, "output_modalities": modalities, "posted": ()}, PostedRow)


def runs(numbers: Sequence[int], captures: Sequence[ModelsCapture]) -> tuple[Run, ...]:
    """Return the runs of consecutive numbers, each as the captures it begins and ends with."""
    firsts = [number for number in numbers if number - 1 not in numbers]
    lasts = [number for number in numbers if number + 1 not in numbers]
    return tuple(
        Run(first=captures[a].captured_at, last=captures[b].captured_at, sha256=captures[a].sha256)
        for a, b in zip(firsts, lasts, strict=True)
    )


def make_sample(recordings: Path) -> dict[str, bytes]:
    """Return every file of the sample, name → content. Raises BadInput for recordings it does not fit."""
    pulls, days = read_pulls(recordings / "rankings-daily")
    captures, rows = read_captures(recordings / "models")
    sample = {
        name: msgspec.json.Encoder().encode_lines(facts)
        for name, facts in {
            "captures.jsonl": captures,
            "prices.jsonl": rows,
            "pulls.jsonl": pulls,
            "volumes.jsonl": days,
        }.items()
    }
    sample["README.md"] = README.format(
        first=days[0].date,
        last=days[-1].date,
        pull_count=len(pulls),
        citations="\n".join(f"- Source: OpenRouter (openrouter.ai/rankings), as of {pull.as_of}." for pull in pulls),
        capture_count=len(captures),
        captures_first=captures[0].captured_at,
        captures_last=captures[-1].captured_at,
    ).encode()
    sample[SUMS] = b"".join(sums_line(name, raw) for name, raw in sorted(sample.items()))
    size = sum(map(len, sample.values()))
    require(size <= SAMPLE_BYTES_MAX, f"the sample has {size} bytes, over {SAMPLE_BYTES_MAX}")
    return sample


def first_difference(sample: dict[str, bytes], folder: Path) -> str | None:
    """Return where the files in `folder` first differ from those made now, None where they do not."""
    for name, raw in sorted(sample.items()):
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        made, found = raw.splitlines(keepends=True), path.read_bytes().splitlines(keepends=True)
        for number in range(max(len(made), len(found))):
            if made[number : number + 1] != found[number : number + 1]:
                return f"{path} line {number + 1} is not what the recordings give"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0 done, 1 the bundled files differ, 2 unfit recordings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recordings", type=Path, metavar="RECORDINGS")
    parser.add_argument("--check", action="store_true", help="write nothing, compare with the bundled files")
    call = parser.parse_args(arguments)
    try:
        sample = make_sample(call.recordings)
    except MtokError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    if call.check:
        difference = first_difference(sample, SAMPLE)
        print(difference or f"{SAMPLE}: {len(sample)} files as the recordings give them")
        return 1 if difference else 0
    for name, raw in sorted(sample.items()):
        (SAMPLE / name).write_bytes(raw)
        print(f"{len(raw):>8} bytes {raw.count(10):>5} lines  {name}")
    print(f"{sum(map(len, sample.values())):>8} bytes in {SAMPLE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Make the bundled sample, src/mtok/sources/sample, from recorded responses: the same bytes every time.

python scripts/make_sample.py RECORDINGS          writes the files and says how large they are
python scripts/make_sample.py --check RECORDINGS  writes nothing; exit status 1 names the first difference

RECORDINGS holds `rankings-daily/` and `models/`, gzip files named by capture time.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from mtok.calendar import day_of, format_date, format_instant, parse_date, parse_instant
from mtok.canonical import sha256_hex
from mtok.errors import BadInput, MtokError
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

Facts of the fixing dates {first} … {last}, read from recorded OpenRouter responses by
`scripts/make_sample.py`. Nothing is invented, interpolated or corrected.

## Token volumes: `volumes.jsonl`, `pulls.jsonl`

Totals a day and model from {pulls} responses of `GET /api/v1/datasets/rankings-daily`, rearranged by day:

{citations}

Licensed under CC BY 4.0. Recorded by github.com/wyl2607/llm-carbon-index (`data/raw/snapshots`).

## Posted prices: `prices.jsonl`, `captures.jsonl`

The price facts are the list prices that OpenRouter posted at `GET /api/v1/models` in {captures} captures,
{first_capture} … {last_capture}, for the models of OpenAI, Google Gemini, Anthropic,
DeepSeek, Qwen and Moonshot AI: id, canonical slug, time of creation, output modalities and price texts.
OpenRouter states no licence for that endpoint; single facts are carried here, no response and no descriptive
text. Recorded by github.com/jvrck/openrouterlist (`data/output.json`).

## Layout

UTF-8, one JSON object a line, keys in the order given. Every `sha256` is that of an original response,
uncompressed, as recorded. Dates and instants are UTC.

- `pulls.jsonl`: a rankings-daily response, by time. `as_of`, `start_date`, `end_date`, `version`: its `meta`,
  verbatim. `sha256`.
- `volumes.jsonl`: a day. `date`. `as_of`, `sha256`: of the latest pull that holds it; earlier ones hold the
  same rows. `tokens`: permaslug → total tokens, verbatim, in the order of the response; `other` is the market
  tail.
- `captures.jsonl`: a models response, by time. `captured_at`, `sha256`.
- `prices.jsonl`: a state of a catalogue row, by id and time. `id`, `canonical_slug`, `created` (seconds since
  1970), `output_modalities`. `pricing`: the whole object, verbatim, USD per token (`image`, `request`,
  `web_search`: per piece). `posted`: the runs of consecutive captures with exactly this state, each with the
  `captured_at` of its `first` and `last` capture and the `sha256` of the first. The original of any other
  capture of a run is in the line of `captures.jsonl` with that time. Rows whose id starts with `~` repeat
  another row and are left out.
- `SHA256SUMS`: the other files, for `sha256sum --check`.

The volumes prove themselves: a rendered rankings response, indented by two spaces and ended with a newline as
its recorder keeps it, has the sha256 of its original.
"""


class TokenRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of a rankings-daily response."""

    date: str
    model_permaslug: str
    total_tokens: str


class Meta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`meta` of a rankings-daily response."""

    as_of: str
    end_date: str
    start_date: str
    version: str


class RankingsResponse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rankings-daily response; a field more would be a fact the sample loses."""

    data: list[TokenRow]
    meta: Meta


class Architecture(msgspec.Struct, frozen=True):
    """What R-4 reads of `architecture`."""

    output_modalities: tuple[str, ...]


class ModelRow(msgspec.Struct, frozen=True):
    """What R-3, R-4 and R-5 read of a row of a models response."""

    id: str
    canonical_slug: str
    created: int
    architecture: Architecture
    pricing: dict[str, str]


class ModelsResponse(msgspec.Struct, frozen=True):
    """A models response."""

    data: list[ModelRow]


_Content = TypeVar("_Content", RankingsResponse, ModelsResponse)


def read_recordings(folder: Path, content: type[_Content]) -> Iterator[tuple[Path, str, _Content]]:
    """Yield (path, sha256 of the response, its content) by file name, which is by time.

    Raises BadInput for a folder without recordings and for a response the sample's format does not fit.
    """
    paths = sorted(folder.glob("*.json.gz"))
    require(paths != [], f"{folder} holds no recorded responses (*.json.gz)")
    for path in paths:
        try:
            raw = gzip.decompress(path.read_bytes())
            yield path, sha256_hex(raw), msgspec.json.decode(raw, type=content)
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            raise unfit(f"{path}: {error}") from None


def unfit(found: str) -> BadInput:
    """Return the error of recordings that are not as the sample's format takes for granted."""
    return BadInput(
        "recordings_unfit", found, "Name other recordings, or change the format of the sample first."
    )


def require(holds: bool, found: str) -> None:
    """Raise BadInput with `found` unless it holds."""
    if not holds:
        raise unfit(found)


def read_pulls(folder: Path) -> tuple[list[Pull], list[VolumeDay]]:
    """Return the pulls by time and the days by date. Raises BadInput where two pulls differ about a day."""
    pulls: list[Pull] = []
    days: dict[str, VolumeDay] = {}
    for path, sha256, response in read_recordings(folder, RankingsResponse):
        pull = Pull(**msgspec.structs.asdict(response.meta), sha256=sha256)
        require(not pulls or pulls[-1].as_of < pull.as_of, f"{path}: as_of {pull.as_of} is out of order")
        held = rows_by_day(path, response)
        for date, tokens in held.items():
            known = days[date].tokens if date in days else tokens
            require(list(known.items()) == list(tokens.items()), f"{path}: rows of {date} have changed")
            days[date] = VolumeDay(date=date, as_of=pull.as_of, sha256=sha256, tokens=tokens)
        pulls.append(pull)
    wanted = dates(FIRST_DATE, LAST_DATE)
    require(sorted(days) == wanted, f"{folder}: days are not {wanted[0]} … {wanted[-1]} without a gap")
    return pulls, [days[date] for date in wanted]


def rows_by_day(path: Path, response: RankingsResponse) -> dict[str, dict[str, str]]:
    """Return date → permaslug → total tokens. Raises BadInput where that form loses a row or the order."""
    days: dict[str, dict[str, str]] = {}
    for row in response.data:
        days.setdefault(row.date, {})[row.model_permaslug] = row.total_tokens
    kept = [TokenRow(date, *row) for date, tokens in days.items() for row in tokens.items()]
    require(kept == response.data, f"{path}: a row stands twice, or rows of a day do not stand together")
    window = dates(parse_date(response.meta.start_date), parse_date(response.meta.end_date))
    require(list(days) == window, f"{path}: days are not those of meta, in order")
    return days


def dates(first: int, last: int) -> list[str]:
    """Return the ISO dates of the days first … last."""
    return [format_date(day) for day in range(first, last + 1)]


def read_captures(folder: Path) -> tuple[list[ModelsCapture], list[PostedRow]]:
    """Return the models captures by time, and every state of the six companies' rows with its runs."""
    captures: list[ModelsCapture] = []
    states: dict[bytes, PostedRow] = {}
    numbers: dict[bytes, list[int]] = {}
    for path, sha256, response in read_recordings(folder, ModelsResponse):
        instant = instant_of(path)
        if day_of(instant) not in INPUT_DAYS:
            continue
        rows = [posted_row(row) for row in response.data if belongs(row)]
        require(len({row.id for row in rows}) == len(rows), f"{path}: two rows with one id")
        for row in rows:
            state = msgspec.json.encode(row)
            states[state] = row
            numbers.setdefault(state, []).append(len(captures))
        captures.append(ModelsCapture(captured_at=format_instant(instant), sha256=sha256))
    last = format_date(INPUT_DAYS[-1])
    require(captures != [] and captures[-1].captured_at.startswith(last), f"{folder} does not reach {last}")
    rows = [
        msgspec.structs.replace(row, posted=runs(numbers[state], captures)) for state, row in states.items()
    ]
    return captures, sorted(rows, key=lambda row: (row.id, row.posted[0].first))


def instant_of(path: Path) -> int:
    """Return the capture time in a file name `YYYY-MM-DDTHHMMSSZ.json.gz`."""
    name = path.name.removesuffix(".json.gz")
    try:
        return parse_instant(f"{name[:13]}:{name[13:15]}:{name[15:]}")
    except ValueError as error:
        raise unfit(f"{path}: {error}") from None


def belongs(row: ModelRow) -> bool:
    """Say whether a row is one of the six companies' and no alias; outside the grammar it is nobody's."""
    slug = split_slug(row.canonical_slug)
    if slug is None or row.id.startswith("~"):
        return False
    return slug.author in AUTHORS and slug.name.startswith(AUTHORS[slug.author])


def posted_row(row: ModelRow) -> PostedRow:
    """Return the facts of a row, without its runs."""
    return PostedRow(
        id=row.id,
        canonical_slug=row.canonical_slug,
        created=row.created,
        output_modalities=row.architecture.output_modalities,
        pricing=row.pricing,
        posted=(),
    )


def runs(numbers: Sequence[int], captures: Sequence[ModelsCapture]) -> tuple[Run, ...]:
    """Return the runs of consecutive numbers, each as the captures it begins and ends with."""
    firsts = [captures[number] for number in numbers if number - 1 not in numbers]
    lasts = [captures[number] for number in numbers if number + 1 not in numbers]
    return tuple(
        Run(first=first.captured_at, last=last.captured_at, sha256=first.sha256)
        for first, last in zip(firsts, lasts, strict=True)
    )


def make_sample(recordings: Path) -> dict[str, bytes]:
    """Return every file of the sample, name → content. Raises BadInput for recordings it does not fit."""
    pulls, days = read_pulls(recordings / "rankings-daily")
    captures, rows = read_captures(recordings / "models")
    encoder = msgspec.json.Encoder()
    sample = {
        "README.md": readme(pulls, captures),
        "captures.jsonl": encoder.encode_lines(captures),
        "prices.jsonl": encoder.encode_lines(rows),
        "pulls.jsonl": encoder.encode_lines(pulls),
        "volumes.jsonl": encoder.encode_lines(days),
    }
    sample[SUMS] = b"".join(sums_line(name, raw) for name, raw in sample.items())
    size = sum(map(len, sample.values()))
    require(size <= SAMPLE_BYTES_MAX, f"the sample has {size} bytes, over {SAMPLE_BYTES_MAX}")
    return sample


def readme(pulls: Sequence[Pull], captures: Sequence[ModelsCapture]) -> bytes:
    """Return README.md, which cites every pull."""
    source = "- Source: OpenRouter (openrouter.ai/rankings), as of {}."
    return README.format(
        first=format_date(FIRST_DATE),
        last=format_date(LAST_DATE),
        pulls=len(pulls),
        citations="\n".join(source.format(pull.as_of) for pull in pulls),
        captures=len(captures),
        first_capture=captures[0].captured_at,
        last_capture=captures[-1].captured_at,
    ).encode()


def first_difference(sample: dict[str, bytes], folder: Path) -> str | None:
    """Return where the files in `folder` first differ from those made now, None where they do not."""
    for name, raw in sample.items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        made, found = raw.splitlines(keepends=True), path.read_bytes().splitlines(keepends=True)
        for number in range(max(len(made), len(found))):
            if made[number : number + 1] != found[number : number + 1]:
                return f"{path} line {number + 1} is not what the recordings give"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Returns 0 done, 1 the bundled files differ, 2 unfit recordings."""
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
        print(difference or f"{SAMPLE}: {len(sample)} files, as the recordings give them")
        return 1 if difference else 0
    for name, raw in sample.items():
        (SAMPLE / name).write_bytes(raw)
        print(f"{len(raw):>8} bytes {raw.count(10):>5} lines  {name}")
    print(f"{sum(map(len, sample.values())):>8} bytes in {SAMPLE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

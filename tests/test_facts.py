"""Published observations: what the captures show and nothing else, and enough for the records to the byte."""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated import _MODELS, _PRICES, DAYS, FIRST_DAY, market
from markets import Taken, at, make_store, models, rankings
from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, PRIMARY, RANKINGS_DAILY, Collector, Response, Store
from mtok.archive.store import StoreParameters
from mtok.calendar import DAY, SECOND, day_of, format_date, parse_date
from mtok.determination.assembly import Request
from mtok.determination.determine import determine
from mtok.determination.inputs import Evidence
from mtok.engine import EmbeddedEngine
from mtok.errors import BadInput, MtokError
from mtok.intake import import_paths
from mtok.methodology import load
from mtok.observations import Observations
from mtok.observations.tables import TABLES
from mtok.progress import silent
from mtok.publication import facts as facts_module
from mtok.publication import facts_file
from mtok.publication.facts import Fact, Facts, in_order, runs
from mtok.publication.facts_evidence import facts_of, redetermine
from mtok.publication.facts_file import COLUMNS, facts_bytes, read_facts
from mtok.records import Determination

DOCS = Path(__file__).parents[1] / "docs"
LAST_DAY = FIRST_DAY + DAYS - 1
PREFIXES = ("openai/", "google/gemini-", "anthropic/", "deepseek/", "qwen/", "moonshotai/")
Before = dict[str, list[Determination]]


@dataclass
class Published:
    """The records and facts of days, by day."""

    records: dict[int, list[Determination]]
    facts: dict[int, Facts]

    def before(self, day: int) -> Before:
        """Return the records of earlier days by series."""
        found: Before = defaultdict(list)
        for earlier in sorted(self.records):
            for entry, record in zip(load("1.0").series, self.records[earlier], strict=True):
                if earlier < day:
                    found[entry.series].append(record)
        return found

    def says_again(self, day: int, facts: Facts) -> bool:
        """Whether the facts give the records of a day to the byte."""
        return canonical(redetermine(facts, self.before(day), threads=1)) == canonical(self.records[day])


def canonical(records: Iterable[Determination]) -> list[bytes]:
    return [record.canonical for record in records]


def publish(
    store: Store,
    first: int,
    last: int,
    *,
    as_of: int | None = None,
    before: Before | None = None,
    threads: int = 1,
    source: str = RANKINGS_DAILY,
    asked: Container[int] | None = None,
) -> Published:
    """Determine days and take the facts of each meanwhile, as a publication would.

    asked : the days whose facts are looked at, all if not given
    """
    observations = Observations(store)
    with store.writing():
        observations.refresh(silent)
    engine = EmbeddedEngine(threads)
    evidence = Evidence(observations, engine, volume_source=source, as_of=as_of)
    request = Request(
        methodology=load("1.0"),
        volume_source=source,
        first_day=first,
        last_day=last,
        as_of=as_of,
        complete=source in store.parameters.complete_volume_sources,
    )
    found = Published(defaultdict(list), {})
    for record in determine(request, evidence, engine, silent, before):
        day = parse_date(record.date)
        found.records[day].append(record)
        if day not in found.facts and (asked is None or day in asked):
            found.facts[day] = facts_of(request, evidence, engine, day)
    return found


# ---- the bundled sample


@pytest.fixture(scope="module")
def sample(collected_sample: Callable[[Path], Store], tmp_path_factory: pytest.TempPathFactory) -> Store:
    return collected_sample(tmp_path_factory.mktemp("facts") / "store")


FIRST, LAST = parse_date("2026-05-20"), parse_date("2026-06-26")
A_DAY = parse_date("2026-06-20")


@pytest.fixture(scope="module")
def everything(sample: Store) -> Published:
    return publish(sample, FIRST, LAST)


@pytest.fixture
def one(everything: Published) -> Facts:
    return everything.facts[A_DAY]


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_sample_as_all_was_seen(everything: Published, every: int) -> None:
    """The facts of each day are read as they were written; those of every third give its records, of each in `soak`."""
    assert len(everything.facts) == 38
    for day, facts in everything.facts.items():
        found = read_facts(facts_bytes(facts))
        assert found == facts
        if (LAST - day) % every == 0:
            assert everything.says_again(day, found), format_date(day)


def test_sample_as_each_final_saw_it(sample: Store) -> None:
    """Each of the last dates at 14:00 of the next, linked to the dates before as they were determined then.

    Of all dates, in a real publication, `test_audit` holds it in the long run.
    """
    chain = Published({}, {})
    for day in range(LAST - 6, LAST + 1):
        now = publish(sample, day, day, as_of=(day + 1) * DAY + 14 * 3600 * SECOND, before=chain.before(day))
        chain.records |= now.records
        chain.facts |= now.facts
    assert any(record.value for records in chain.records.values() for record in records)
    for day, facts in chain.facts.items():
        assert chain.says_again(day, read_facts(facts_bytes(facts))), format_date(day)


def test_same_facts_same_bytes_whatever_the_threads(sample: Store, one: Facts) -> None:
    again = publish(sample, A_DAY - 3, A_DAY, threads=4).facts[A_DAY]
    assert again == one
    assert facts_bytes(again) == facts_bytes(one)
    assert again == publish(sample, A_DAY, A_DAY, threads=3).facts[A_DAY]


def test_rows_in_another_order_are_the_same_facts(one: Facts) -> None:
    shuffled = list(one.rows)
    Random(1).shuffle(shuffled)
    assert read_facts(facts_bytes(replace(one, rows=tuple(shuffled)))) == one


def test_recorded_responses(recordings: Path, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    last = "2026-06-20"
    taken = [
        path
        for folder, first in (("models", "2026-06-05"), ("rankings-daily", last))
        for path in sorted((recordings / folder).glob("*.gz"))
        if first <= path.name <= "2026-06-22"
    ]
    import_paths(store, taken, progress=silent)
    found = publish(store, parse_date(last) - 1, parse_date(last))
    for day, facts in found.facts.items():
        assert found.says_again(day, read_facts(facts_bytes(facts)))
        assert expanded(facts) == shown(store, facts)


# ---- generated markets


def hostile_store(path: Path, seed: int) -> Store:
    """Return a store of a generated market with endpoints, and in half of them an archive that was primary first."""
    random = Random(seed)
    store = make_store(path, market(seed))
    if random.random() < 0.5:
        change = FIRST_DAY + random.randrange(DAYS)
        last, first = format_date(change - 1), format_date(change)
        store.write_parameters(
            StoreParameters(
                collectors=(
                    Collector(collector=PRIMARY, rank=1, first=first),
                    Collector(collector="archive-2", rank=1, archive=True, last=last),
                    Collector(collector="archive-2", rank=2, first=first),
                    Collector(collector="archive-3", rank=3),
                )
            )
        )
    with store.writing():
        list(store.archive(_endpoints(random)))
    return store


def _endpoints(random: Random) -> Iterator[Response]:
    for day in range(FIRST_DAY - 1, FIRST_DAY + DAYS + 1):
        for name, (slug, _) in _MODELS.items():
            for _ in range(random.choice((0, 1, 1, 2))):
                offers = [
                    {
                        "provider_name": random.choice(("OpenAI", "Google", "Alibaba", "Elsewhere")),
                        "tag": random.choice(("openai", "openai/flex", None)),
                        "status": random.choice((0, -2, None)),
                        "pricing": {"completion": random.choice((*_PRICES, "-1", None))},
                    }
                    for _ in range(random.choice((0, 1, 3)))
                ]
                content = {"data": {"id": random.choice((name, name, None)), "endpoints": offers}}
                yield Response(
                    raw=json.dumps(content).encode(),
                    captured_at=day * DAY + random.randrange(86_400) * SECOND,
                    kind=KIND_ENDPOINTS,
                    obtained="test market",
                    subject=slug,
                )


def expanded(facts: Facts) -> dict[tuple[Any, ...], list[Any]]:
    """Return what each capture of the facts shows."""
    lines = {row[0]: (row[6], row[1], row[5], row[10]) for row in facts.tables["captures"]}
    return _content(
        lines,
        facts.day,
        {
            name: [dict(zip(_columns(name), row, strict=True)) for row in rows]
            for name, rows in facts.tables.items()
        },
    )


def _columns(table: str) -> list[str]:
    return list(TABLES[table])


def shown(store: Store, facts: Facts) -> dict[tuple[Any, ...], list[Any]]:
    """Return what each visible capture of the window shows of the six companies, read here from the observations."""
    observations = Observations(store)
    tables = {
        name: [
            dict(zip(_columns(name), row, strict=True)) for row in observations.rows(name, *_columns(name))
        ]
        for name in facts.tables
    }
    naming = {row["capture"] for row in tables["volume_days"] if row["day"] == facts.day}
    lines = {}
    latest: dict[str, tuple[int, str]] = {}
    for row in tables["captures"]:
        instant, kind = row["instant"], row["kind"]
        if not row["readable"] or (facts.as_of is not None and instant > facts.as_of):
            continue
        ranked = store.parameters.in_force(row["collector"], day_of(instant))
        if kind == KIND_ENDPOINTS:
            used = ranked and ranked.rank == 1 and day_of(instant) == facts.day
            wanted = used and row["subject"].startswith(PREFIXES)
            if wanted:
                latest[row["subject"]] = max(latest.get(row["subject"], (0, "")), (instant, row["sha256"]))
        elif kind == KIND_MODELS:
            wanted = ranked and facts.day - 14 <= day_of(instant) <= facts.day + 1
        else:
            wanted = row["capture"] in naming
        if wanted:
            lines[row["capture"]] = (kind, instant, row["collector"], row["sha256"])
    used_endpoints = {(KIND_ENDPOINTS, instant, PRIMARY, sha256) for instant, sha256 in latest.values()}
    lines = {
        line: key
        for line, key in lines.items()
        if key[0] != KIND_ENDPOINTS or _primary(key) in used_endpoints
    }
    return _content(lines, facts.day, tables)


def _primary(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return (key[0], key[1], PRIMARY, key[3])


def _content(
    lines: dict[int, tuple[Any, ...]], day: int, tables: dict[str, list[dict[str, Any]]]
) -> dict[tuple[Any, ...], list[Any]]:
    prices: dict[tuple[int, int], set[tuple[Any, ...]]] = defaultdict(set)
    for row in tables["prices"]:
        if row["dimension"] == "completion":
            what = tuple(row[name] for name in _columns("prices")[3:])
            prices[row["capture"], row["ordinal"]].add(what)
    found: dict[tuple[Any, ...], list[Any]] = {key: [] for key in lines.values()}
    for row in tables["volume_days"]:
        if row["day"] == day and row["capture"] in lines:
            found[lines[row["capture"]]].append(("held", row["reason"]))
    volumes = sorted(
        (row["capture"], row["slug"], row["author"], row["name"], row["variant"], row["tokens"])
        for row in tables["volumes"]
        if row["day"] == day and row["capture"] in lines
    )
    for line, *tokens in volumes:
        found[lines[line]].append(tokens)
    rule = ("slug", "variant", "created", "id", "ordinal")  # 20_description.sql: what decides, in its order
    for row in sorted(tables["catalogue"], key=lambda row: [row[name] for name in rule]):
        if row["capture"] in lines and row["slug"].startswith(PREFIXES):
            tiles = sorted(prices[row["capture"], row["ordinal"]], key=repr)
            what = tuple(row[name] for name in _columns("catalogue")[2:])
            found[lines[row["capture"]]].append((what, tiles))
    for row in sorted(tables["endpoints"], key=lambda row: int(row["ordinal"])):
        if row["capture"] in lines:
            asked = ("slug", "id", "provider", "tag", "status", "standard_tier", "price_seconds")
            found[lines[row["capture"]]].append(tuple(row[name] for name in asked))
    return found


@given(st.integers(0, 2**32), st.one_of(st.none(), st.integers(-1, 10)))
@settings(deadline=None, max_examples=settings().max_examples // 3)
def test_generated_markets(seed: int, days_after: int | None) -> None:
    as_of = None if days_after is None else (FIRST_DAY + days_after) * DAY + 14 * 3600 * SECOND
    with tempfile.TemporaryDirectory() as folder:
        store = hostile_store(Path(folder) / "store", seed)
        asked = Random(seed).sample(range(FIRST_DAY, LAST_DAY + 1), 2)
        found = publish(store, FIRST_DAY, LAST_DAY, as_of=as_of, asked=asked)
        for day in sorted(found.facts):
            facts = read_facts(facts_bytes(found.facts[day]))
            assert facts == found.facts[day]
            assert expanded(facts) == shown(store, facts)
            assert found.says_again(day, facts), format_date(day)


def test_generated_markets_reach_what_facts_hold() -> None:
    """Endpoints that count, rejected dates, rows of one id twice, other collectors, archives, prompt tiers."""
    reached = set()
    for seed in range(4):
        with tempfile.TemporaryDirectory() as folder:
            found = publish(hostile_store(Path(folder) / "store", seed), FIRST_DAY, LAST_DAY)
        for day, facts in found.facts.items():
            reached |= {"backcast" for record in found.records[day] if record.backcast}
            reached |= {"gap" for record in found.records[day] if record.diagnostics.first_party_gap}
            reached |= {"glitch" for record in found.records[day] if record.discarded}
            reached |= {"rejected" for row in facts.rows if row.fact == "volume_day" and row.reason}
            reached |= {"window" for row in facts.rows if row.end_second not in {None, 86_400}}
            reached |= {"tier" for row in facts.rows if row.min_prompt_tokens}
            reached |= {"fallback" for row in facts.rows if row.rank == 2}
            reached |= {"run" for row in facts.rows if row.last_capture > row.first_capture}
    assert reached == {"backcast", "gap", "glitch", "rejected", "window", "tier", "fallback", "run"}


def test_a_volume_source_of_ones_own_that_names_every_model(tmp_path: Path) -> None:
    store = hostile_store(tmp_path / "store", 3)
    own = [
        replace(taken.response(), volume_source="gateway")
        for taken in market(3)
        if taken.response().volume_source
    ]
    with store.writing():
        list(store.archive([replace(one, captured_at=one.captured_at + SECOND) for one in own]))
    store.write_parameters(replace_parameters(store, complete_volume_sources=("gateway",)))
    found = publish(store, FIRST_DAY, LAST_DAY, source="gateway")
    assert all(facts.complete and facts.volume_source == "gateway" for facts in found.facts.values())
    assert all(found.says_again(day, read_facts(facts_bytes(facts))) for day, facts in found.facts.items())


def replace_parameters(store: Store, **changed: Any) -> StoreParameters:
    import msgspec

    return msgspec.structs.replace(store.parameters, **changed)


# ---- what does not change them

ROW: dict[str, Any] = {
    "id": "openai/gpt",
    "canonical_slug": "openai/gpt-1",
    "created": 5,
    "architecture": {"output_modalities": ["text"]},
    "pricing": {"completion": "0.000002"},
}
OTHER = ROW | {"id": "elsewhere/one", "canonical_slug": "elsewhere/one"}
GEMMA = ROW | {"id": "google/gemma", "canonical_slug": "google/gemma"}
TOTALS = [{"date": "2026-01-10", "model_permaslug": "openai/gpt-1", "total_tokens": "7"}]


def facts_of_market(path: Path, taken: Sequence[Taken], *, as_of: str | None = "2026-01-11") -> Facts:
    store = make_store(path, taken)
    instant = at(as_of, "14:00:00") if as_of else None
    day = parse_date("2026-01-10")
    return publish(store, day, day, as_of=instant).facts[day]


MARKET = [
    models(at("2026-01-09"), [ROW]),
    models(at("2026-01-10"), [ROW]),
    rankings(at("2026-01-11", "02:00:00"), TOTALS),
]


def test_what_comes_later_changes_no_facts(tmp_path: Path) -> None:
    later = [
        models(at("2026-01-11", "15:00:00"), [ROW]),
        rankings(at("2026-01-11", "16:00:00"), TOTALS),
        rankings(at("2026-01-14"), TOTALS),
        models(at("2026-01-20"), [ROW]),
    ]
    before = facts_of_market(tmp_path / "before", MARKET)
    assert facts_of_market(tmp_path / "after", [*later, *MARKET]) == before
    assert facts_of_market(tmp_path / "all", [*later, *MARKET], as_of=None).rows != before.rows


def test_what_is_earlier_than_the_window_changes_no_facts(tmp_path: Path) -> None:
    earlier = [models(at("2025-12-26"), [ROW]), rankings(at("2026-01-10", "02:00:00"), [])]
    before = facts_of_market(tmp_path / "before", MARKET)
    assert facts_of_market(tmp_path / "after", [*earlier, *MARKET]) == before


def test_other_companies_rows_are_not_in_the_facts(tmp_path: Path) -> None:
    """A response with more rows has another digest; all else is the same."""

    def without_digest(facts: Facts) -> list[Fact]:
        return [row._replace(sha256=None) for row in facts.rows]

    more = [
        models(taken.instant, [OTHER, ROW, GEMMA]) if taken.kind == KIND_MODELS else taken for taken in MARKET
    ]
    found = facts_of_market(tmp_path / "more", more)
    assert without_digest(found) == without_digest(facts_of_market(tmp_path / "less", MARKET))
    assert not [row for row in found.rows if row.fact == "model" and row.author == "elsewhere"]


def test_another_place_in_the_response_breaks_no_run(tmp_path: Path) -> None:
    turned = [
        models(at(date, "05:00:00"), rows)
        for date, rows in (("2026-01-08", [ROW, OTHER]), ("2026-01-09", [OTHER, ROW]), ("2026-01-10", [ROW]))
    ]
    facts = facts_of_market(tmp_path / "store", turned)
    assert [(row.first_capture, row.last_capture) for row in facts.rows if row.fact == "model"] == [(1, 3)]


def test_of_two_rows_that_tie_the_first_in_the_response_still_counts(tmp_path: Path) -> None:
    """Same id, slug and `created`, two prices: the order of the response decides (20_description.sql)."""
    dear = ROW | {"pricing": {"completion": "0.000009"}}
    for name, rows, price in (("a", [ROW, dear], 2), ("b", [dear, ROW], 9)):
        store = make_store(
            tmp_path / name, [models(at("2026-01-10"), rows), rankings(at("2026-01-11", "02:00:00"), TOTALS)]
        )
        day = parse_date("2026-01-10")
        found = publish(store, day, day)
        again = redetermine(read_facts(facts_bytes(found.facts[day])), {})
        assert canonical(again) == canonical(found.records[day])
        assert again[0].value == f"{price}.000000"


def test_one_response_twice_in_one_second_is_two_captures_in_order_of_time(tmp_path: Path) -> None:
    first, second = models(at("2026-01-10"), [ROW]), models(at("2026-01-10") + 250_000, [ROW])
    there = facts_of_market(tmp_path / "there", [first, second, MARKET[-1]])
    back = facts_of_market(tmp_path / "back", [second, first, MARKET[-1]])
    assert there == back
    assert [row.instant for row in there.rows if row.kind == KIND_MODELS and row.fact == "capture"] == [
        first.instant,
        second.instant,
    ]


# ---- runs


@given(st.lists(st.booleans(), max_size=40))
def test_runs_are_exact_and_as_few_as_can_be(presence: list[bool]) -> None:
    found = runs(number for number, here in enumerate(presence, 1) if here)
    again = [any(first <= number <= last for first, last in found) for number in range(1, len(presence) + 1)]
    assert again == presence
    starts = sum(here and not before for before, here in pairwise([False, *presence]))
    assert len(found) == starts


@given(
    st.lists(
        st.lists(st.sampled_from([None, "0.000001", "0.000002"]), min_size=3, max_size=3),
        min_size=1,
        max_size=9,
    ),
    st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_any_presence_of_rows_comes_back_from_its_runs(
    matrix: list[list[str | None]], random: Random
) -> None:
    """matrix : of each capture, in order, the price of each of three models, None where it is not shown."""
    taken = []
    for number, prices in enumerate(matrix):
        rows = [
            ROW
            | {"id": f"qwen/m{place}", "canonical_slug": f"qwen/m{place}", "pricing": {"completion": price}}
            for place, price in enumerate(prices)
            if price
        ]
        collector, rank = random.choice(((PRIMARY, 1), ("archive", 2)))
        taken.append(
            models(at("2026-01-10", "00:00:00") + number * SECOND, rows, collector=collector, rank=rank)
        )
    with tempfile.TemporaryDirectory() as folder:
        facts = facts_of_market(Path(folder) / "store", taken)
    ids = {(row[0], row[1]): row[2] for row in facts.tables["catalogue"]}
    posted = {(row[0], ids[row[0], row[1]]): row[6] for row in facts.tables["prices"]}
    assert posted == {
        (line, f"qwen/m{place}"): int(price[-1]) * 10**12
        for line, prices in enumerate(matrix)
        for place, price in enumerate(prices)
        if price
    }


# ---- tampering


def tampered(facts: Facts, what: str) -> Facts:
    """Return the facts with one thing changed that the records of the day rest on."""
    rows = list(facts.rows)
    captures = [row for row in rows if row.fact == "capture" and row.kind == KIND_MODELS]
    of_day = [row.first_capture for row in captures if day_of(row.instant or 0) == facts.day]
    if what == "capture":
        number = of_day[0]
        kept = [row for row in rows if row.kind != KIND_MODELS or row.first_capture < number]
        gone = [row for row in rows if row.kind == KIND_MODELS and row.last_capture > number]
        before = [row._replace(last_capture=min(row.last_capture, number - 1)) for row in kept]
        after = [
            row._replace(first_capture=max(row.first_capture - 1, number), last_capture=row.last_capture - 1)
            for row in gone
        ]
        untouched = [row for row in before if row.kind != KIND_MODELS]
        return replace(
            facts, rows=in_order([*untouched, *(row for row in before if row.kind == KIND_MODELS), *after])
        )
    for place, row in enumerate(rows):
        if what == "price" and row.fact == "price" and row.id == "anthropic/claude-opus-4.6":
            rows[place] = row._replace(price=(row.price or 0) + 1)
        elif what == "tokens" and row.fact == "volume" and row.author == "anthropic":
            rows[place] = row._replace(tokens=(row.tokens or 0) + 1)
            break
        elif what == "tail" and row.fact == "volume" and row.slug == "other":
            rows[place] = row._replace(tokens=(row.tokens or 0) + 1)
        elif what == "rank" and row.fact == "capture" and row.first_capture in of_day and row.rank:
            rows[place] = row._replace(rank=2)
        elif what == "modality" and row.fact == "model" and row.author == "anthropic":
            rows[place] = row._replace(text_only=False)
        elif what == "sha256" and row in captures:
            rows[place] = row._replace(sha256=f"{int(row.sha256 or '', 16) ^ 1:064x}")
        elif what == "instant" and row.fact == "capture" and row.first_capture in of_day:
            rows[place] = row._replace(instant=(row.instant or 0) + SECOND)
    return replace(facts, rows=in_order(rows))


@pytest.mark.parametrize(
    "what", ["price", "tokens", "tail", "capture", "rank", "modality", "sha256", "instant"]
)
def test_facts_that_were_touched_no_longer_give_the_records(
    everything: Published, one: Facts, what: str
) -> None:
    touched = tampered(one, what)
    assert touched != one
    assert not everything.says_again(A_DAY, read_facts(facts_bytes(touched)))


# ---- files that are none


def refusal(raw: bytes) -> str:
    with pytest.raises(BadInput) as caught:
        read_facts(raw)
    assert caught.value.code == "facts_unreadable"
    assert caught.value.remedy
    return caught.value.found


def written(table: pa.Table, **noted: str) -> bytes:
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(noted)
    return sink.getvalue()


def table_of(facts: Facts) -> tuple[pa.Table, dict[str, str]]:
    file = pq.ParquetFile(io.BytesIO(facts_bytes(facts)))
    return file.read(), {key.decode(): value.decode() for key, value in file.metadata.metadata.items()}


def test_a_file_written_anew_is_read(one: Facts) -> None:
    table, noted = table_of(one)
    assert read_facts(written(table, **noted)) == one


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"format": "mtok-facts-2"}, "format 'mtok-facts-2'"),
        ({"date": "2026-02-30"}, "metadata"),
        ({"date": "2026-06-19"}, "date 2026-06-20"),
        ({"as_of": "soon"}, "metadata"),
        ({"as_of": "2026-06-20T00:00:00Z"}, "after as_of"),
        ({"complete": "perhaps"}, "metadata"),
        ({"more": "x"}, "metadata"),
    ],
)
def test_metadata_of_another_file(one: Facts, change: dict[str, str], found: str) -> None:
    table, noted = table_of(one)
    assert found in refusal(written(table, **(noted | change)))


@pytest.mark.parametrize("name", ["format", "date", "methodology", "volume_source", "complete"])
def test_metadata_missing(one: Facts, name: str) -> None:
    table, noted = table_of(one)
    noted.pop(name)
    assert f"metadata: {'format None' if name == 'format' else name + ' missing'}" in refusal(
        written(table, **noted)
    )


def test_columns_of_another_file(one: Facts) -> None:
    table, noted = table_of(one)
    assert "column sha256: missing" in refusal(written(table.drop_columns(["sha256"]), **noted))
    more = table.append_column("more", table.column("fact"))
    assert "columns" in refusal(written(more, **noted))
    place = table.schema.get_field_index("tokens")
    retyped = table.set_column(place, "tokens", table.column("tokens").cast(pa.decimal128(38, 0)))
    assert "column tokens: missing or of another type" in refusal(written(retyped, **noted))
    assert "columns" in refusal(written(table.select(table.column_names[::-1]), **noted))
    assert "columns" in refusal(written(table.append_column("fact", table.column("fact")), **noted))


@pytest.mark.parametrize("raw", [b"", b"PAR1", b"PAR1PAR1", b"x" * 100, b"{}"])
def test_what_is_no_parquet(raw: bytes) -> None:
    assert "no Parquet" in refusal(raw)


def _first(facts: Facts, fact: str, kind: str | None = None) -> Fact:
    return next(row for row in facts.rows if row.fact == fact and kind in {None, row.kind})


@pytest.mark.parametrize(
    ("fact", "change", "found"),
    [
        ("price", {"fact": "quote"}, "fact 'quote' of kind 'models'"),
        ("price", {"kind": "endpoints"}, "fact 'price' of kind 'endpoints'"),
        ("price", {"last_capture": 100_000}, "no models capture"),
        ("price", {"last_capture": 2**31 - 1}, "stand for"),
        ("price", {"first_capture": 0}, "first_capture 0 is outside 1 to"),
        ("price", {"first_capture": 9, "last_capture": 8}, "captures 9 to 8"),
        ("price", {"price": None}, "either a price with its base or the reason"),
        ("price", {"price": -1}, "price -1 is outside"),
        ("price", {"price": 10**15 + 1}, "is outside 0 to 1000000000000000"),
        ("price", {"start_second": 86_400}, "start_second 86400 is outside"),
        ("price", {"start_second": 50, "end_second": 50}, "seconds 50 to 50"),
        ("price", {"id": "openai/none"}, "a price of a row the capture does not show"),
        ("price", {"tokens": 5}, "tokens of another fact"),
        ("volume", {"tokens": None}, "tokens missing"),
        ("volume", {"tokens": -1}, "tokens -1 is outside"),
        ("volume", {"author": "elsewhere"}, "slug, author, name, variant"),
        ("model", {"variant": "free"}, "slug, author, name, variant"),
        ("model", {"created": 2**60}, "created"),
        ("capture", {"rank": 0}, "rank 0 is outside"),
        ("capture", {"rank": None}, "rank missing"),
        ("capture", {"sha256": "A" * 64}, "sha256"),
        ("capture", {"instant": -1}, "instant -1 is outside"),
        ("capture", {"instant": 2**62}, "instant"),
        ("capture", {"first_capture": 2, "last_capture": 2}, "it is not the capture after number"),
    ],
)
def test_a_row_that_cannot_be(one: Facts, fact: str, change: dict[str, Any], found: str) -> None:
    row = _first(one, fact, KIND_MODELS if fact == "capture" else None)
    rows = [other._replace(**change) if other is row else other for other in one.rows]
    assert found in refusal(facts_bytes(replace(one, rows=tuple(rows))))


@pytest.mark.parametrize(
    ("fact", "change", "found"),
    [
        ("price", {}, "two prices of second 0"),
        ("price", {"start_second": 43_200}, "two prices of second 43200"),
        ("model", {}, "a capture shows it twice"),
        ("volume", {}, "a capture shows it twice"),
        ("volume_day", {}, "a capture shows it twice"),
        ("capture", {}, "it is not the capture after number"),
    ],
)
def test_a_row_twice(one: Facts, fact: str, change: dict[str, Any], found: str) -> None:
    row = _first(one, fact, KIND_MODELS if fact == "capture" else None)
    assert found in refusal(facts_bytes(replace(one, rows=(*one.rows, row._replace(**change)))))


def test_captures_that_contradict_each_other(one: Facts) -> None:
    captures = [row for row in one.rows if row.fact == "capture" and row.kind == KIND_MODELS]
    by_day = defaultdict(list)
    for row in captures:
        by_day[day_of(row.instant or 0)].append(row)
    several = next(rows for rows in by_day.values() if len(rows) > 1)
    for change in ({"rank": 2}, {"archive": True}, {"collector": "another"}):
        rows = [row._replace(**change) if row is several[0] else row for row in one.rows]
        assert "contradicts another capture" in refusal(facts_bytes(replace(one, rows=tuple(rows))))
    gone = [row for row in one.rows if row.fact != "volume_day"]
    assert "does not hold the date" in refusal(facts_bytes(replace(one, rows=tuple(gone))))
    silent_volumes = [row for row in gone if row.fact != "volume"]
    assert "does not say whether" in refusal(facts_bytes(replace(one, rows=tuple(silent_volumes))))


def test_limits(one: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = facts_bytes(one)
    for module, name, most in (
        (facts_file, "BYTES_MAX", len(raw) - 1),
        (facts_file, "ROWS_MAX", len(one.rows) - 1),
        (facts_file, "CONTENT_BYTES_MAX", 100),
        (facts_module, "SHOWN_MAX", 100),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, most)
            assert f"more than {most}" in refusal(raw)
    assert read_facts(raw) == one


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return facts_of_market(tmp_path_factory.mktemp("small") / "store", MARKET)


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_damaged_bytes_are_refused_or_say_the_same(small: Facts, data: st.DataObject) -> None:
    raw = bytearray(facts_bytes(small))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                raw[place] ^= data.draw(st.integers(1, 255))
            case "cut":
                del raw[place : place + data.draw(st.integers(1, 40))]
            case _:
                raw[place:place] = data.draw(st.binary(min_size=1, max_size=9))
        raw = raw or bytearray(b"\0")
    try:
        read_facts(bytes(raw))
    except BadInput as error:
        assert error.code == "facts_unreadable"  # noqa: PT017


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(raw: bytes) -> None:
    refusal(raw)
    refusal(b"PAR1" + raw + b"PAR1")


_CELLS: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(
        ["", "models", "endpoints", "rankings-daily", "openai/gpt", "other", "a/b:c", "ü\0"]
    ),
    "boolean": st.booleans(),
    "int32": st.sampled_from([0, 1, 2, 86_400, -1, 2**31 - 1, -(2**31)]),
    "int64": st.sampled_from([0, 1, 2**63 - 1, -(2**63), 10**15]),
    "decimal": st.sampled_from([0, 10**37, -1]),
    "date": st.sampled_from([0, 2**31 - 1, -(2**31), 20463]),
    "instant": st.sampled_from([0, 2**63 - 1, -(2**63), at("2026-01-10")]),
}


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_rows_of_anything_are_refused_or_determine_something(small: Facts, data: st.DataObject) -> None:
    """Right columns, wrong cells: whatever is read can be run, and whatever is said is an error of ours."""
    rows = [list(row) for row in small.rows]
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.sampled_from(rows))
        place, kind = data.draw(st.sampled_from(list(enumerate(COLUMNS.values()))))
        row[place] = data.draw(st.none() | _CELLS[kind])
    raw = facts_bytes(replace(small, rows=tuple(Fact._make(row) for row in rows)))
    try:
        found = read_facts(raw)
        assert len(redetermine(found, {})) == 6
    except MtokError as error:
        assert error.code in {"facts_unreadable", "overflow"}  # noqa: PT017


# ---- as files for people


def test_the_columns_are_those_of_a_fact(one: Facts) -> None:
    assert tuple(COLUMNS) == Fact._fields
    table, noted = table_of(one)
    assert table.schema.field("instant").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("date").type == pa.date32()
    assert table.schema.field("price_seconds").type == pa.decimal128(38, 0)
    assert noted == {
        "format": "mtok-facts-1",
        "date": "2026-06-20",
        "methodology": "1.0",
        "volume_source": "rankings-daily",
        "complete": "false",
    }


def _document() -> str:
    """Return the section on observations of the document on formats."""
    found = [path for path in sorted(DOCS.glob("formats*.md")) if "## Observations" in path.read_text()]
    return found[0].read_text().split("## Observations", 1)[1].split("\n## ", 1)[0]


def test_every_column_is_described() -> None:
    named = re.findall(r"^\| `(\w+)` \|", _document().split("| column |")[1], re.MULTILINE)
    assert named == list(COLUMNS)


def test_every_query_of_the_document_runs(one: Facts, everything: Published, tmp_path: Path) -> None:
    path = tmp_path / "observations" / "2026-06-20.parquet"
    path.parent.mkdir()
    path.write_bytes(facts_bytes(one))
    queries = re.findall(r"```sql\n(.*?)```", _document(), re.DOTALL)
    assert len(queries) == 3
    connection = duckdb.connect()
    answers: list[Any] = [
        connection.sql(query.replace("observations/2026-06-20.parquet", str(path))).to_arrow_table()
        for query in queries
    ]
    volumes, expansion, price = answers
    assert volumes.num_rows == sum(row.fact == "volume" for row in one.rows)
    assert expansion.num_rows == sum(
        row.last_capture - row.first_capture + 1 for row in one.rows if row.fact != "capture"
    )
    record = next(found for found in everything.records[A_DAY] if found.series == "anthropic")
    captures = {capture.id: capture for capture in record.inputs.captures}
    used = {f"c{number}" for number in price["capture"].to_pylist()}
    assert used
    assert used <= captures.keys()

"""The geometry of charts: gaps stay gaps, stacks add up to what was published, axes are round and sparse."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtok.calendar import format_date, parse_date
from mtok.publication.published import FOLDER, Published
from mtok.records import Move
from mtok.venue.charts.axes import DAY, HEIGHT, TICKS_MAX, Days, Scale, scale_of
from mtok.venue.charts.panels import Line, described, moves_plot, plot
from mtok.venue.charts.paths import area, band, bars, columns, dots, line, missing, runs, spread
from mtok.venue.charts.stacks import stack

FIRST = parse_date("2026-06-01")
TEN = Scale(Fraction(0), Fraction(10), Fraction(5))
"""A hundred units of the drawing to 1."""


def values(*found: int | None) -> dict[int, Fraction]:
    """Return values of days from `FIRST` on, None for a day without one."""
    return {FIRST + place: Fraction(value) for place, value in enumerate(found) if value is not None}


def points(path: str) -> list[list[tuple[int, int]]]:
    """Return the corners of each part of a path, followed by a reader of its own."""
    found: list[list[tuple[int, int]]] = []
    x = y = 0
    for command, text in re.findall(r"([MlhvVHz])([^MlhvVHz]*)", path):
        numbers = [int(one) for one in re.findall(r"-?[0-9]+", text)]
        if command == "M":
            x, y = numbers
            found.append([(x, y)])
        elif command == "l":
            for by_x, by_y in zip(numbers[::2], numbers[1::2], strict=True):
                x, y = x + by_x, y + by_y
                found[-1].append((x, y))
        elif command in "hvVH":
            x = x + numbers[0] if command == "h" else numbers[0] if command == "H" else x
            y = y + numbers[0] if command == "v" else numbers[0] if command == "V" else y
            found[-1].append((x, y))
    return found


def test_a_day_without_a_value_breaks_the_line() -> None:
    days = Days(FIRST, FIRST + 6)
    drawn = points(line(values(1, 2, None, 4, None, None, 7), days, TEN))
    assert drawn == [[(5, 900), (15, 800)], [(35, 600), (35, 600)], [(65, 300), (65, 300)]]


@given(st.dictionaries(st.integers(0, 60), st.integers(-50, 50), min_size=1))
def test_a_line_goes_through_every_value_and_over_no_other_day(found: dict[int, int]) -> None:
    known = {FIRST + day: Fraction(value, 7) for day, value in found.items()}
    days, scale = Days(FIRST, FIRST + 60), scale_of(known.values())
    drawn = points(line(known, days, scale))
    assert len(drawn) == sum(day - 1 not in known for day in known)
    by_x = {x: y for part in drawn for x, y in part}
    assert by_x == {DAY * (day - FIRST) + 5: scale.y(value) for day, value in known.items()}
    assert all(after[0] - before[0] <= DAY for part in drawn for before, after in pairwise(part))


def test_a_band_and_an_area_have_the_gaps_of_their_lines() -> None:
    days = Days(FIRST, FIRST + 3)
    lows, highs = values(1, 2, None, 3), values(4, 5, 6, 7)
    assert points(band(lows, highs, days, TEN)) == [
        [(5, 600), (15, 500), (15, 800), (5, 900)],
        [(30, 300), (40, 300), (40, 700), (30, 700)],
    ]
    assert points(area(lows, days, TEN))[0] == [(5, 900), (15, 800), (15, 1000), (5, 1000)]
    assert [len(part) for part in points(area(lows, days, TEN))] == [4, 4]


def test_missing_days_have_a_column_of_their_own() -> None:
    days = Days(FIRST, FIRST + 5)
    gone = missing(days, values(None, 2, None, None, 5))
    assert gone == [[FIRST], [FIRST + 2, FIRST + 3], [FIRST + 5]]
    assert [part[0] for part in points(columns(gone, days))] == [(0, 0), (20, 0), (50, 0)]
    assert points(columns(gone, days))[1] == [(20, 0), (40, 0), (40, HEIGHT), (20, HEIGHT)]
    assert runs([3, 1, 2, 9]) == [[1, 2, 3], [9]]


def test_bars_reach_from_where_to_where_and_dots_stand_in_the_middle_of_a_day() -> None:
    days = Days(FIRST, FIRST + 1)
    drawn = points(
        bars([(FIRST, Fraction(2), Fraction(5)), (FIRST + 1, Fraction(3), Fraction(3))], days, TEN)
    )
    assert drawn == [[(1, 500), (9, 500), (9, 800), (1, 800)]]
    assert dots(values(4), days, TEN) == "M5 600h0"


@given(st.lists(st.fractions(0, 1), min_size=1, max_size=6))
def test_labels_stand_apart_in_the_order_of_their_lines(wanted: list[Fraction]) -> None:
    apart = Fraction(1, 10)
    found = sorted(zip(wanted, spread(wanted, apart), strict=True))
    assert all(after[1] - before[1] >= apart for before, after in pairwise(found))
    far = all(after - before >= apart for before, after in pairwise(sorted(wanted)))
    assert not far or spread(wanted, apart) == wanted


@given(st.lists(st.decimals(-1000, 1000, places=6), min_size=1), st.booleans())
def test_a_scale_holds_every_value_between_round_ends(found: list[object], from_zero: bool) -> None:
    known = [Fraction(str(value)) for value in found]
    scale = scale_of(known, from_zero=from_zero)
    assert scale.low <= min(known) <= max(known) <= scale.high
    assert scale.low < scale.high
    assert not from_zero or scale.low <= 0 <= scale.high
    assert scale.low % scale.step == scale.high % scale.step == 0
    assert 2 <= len(scale.ticks()) <= 7
    assert scale.ticks()[0].at == "100.00%"
    assert scale.ticks()[-1].at == "0.00%"
    assert all(0 <= scale.y(value) <= HEIGHT for value in known)
    assert scale.y(known[0]) == round((scale.high - known[0]) * HEIGHT / (scale.high - scale.low))


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        ("2026-06-01", "2026-06-01", ["1 Jun"]),
        ("2026-06-01", "2026-06-08", ["1 Jun", "3 Jun", "5 Jun", "7 Jun"]),
        ("2026-05-20", "2026-06-26", ["25 May", "1 Jun", "8 Jun", "15 Jun", "22 Jun"]),
        ("2026-11-15", "2027-02-20", ["Dec", "Jan 2027", "Feb"]),
        ("2027-01-01", "2028-12-30", ["Jan 2027", "Jul", "Jan 2028", "Jul"]),
    ],
)
def test_ticks_of_days(first: str, last: str, labels: list[str]) -> None:
    ticks = Days(parse_date(first), parse_date(last)).ticks()
    assert [tick.label.replace("\u00a0", " ") for tick in ticks] == labels


@given(st.integers(1, 2000), st.integers(0, 400))
def test_ticks_are_few_and_inside(count: int, later: int) -> None:
    days = Days(FIRST + later, FIRST + later + count - 1)
    ticks = days.ticks()
    assert len(ticks) <= TICKS_MAX
    assert ticks or count > 365
    assert all(0 < float(tick.at.rstrip("%")) <= 100 for tick in ticks)


def test_the_stack_of_a_move_is_the_sum_of_its_published_effects(published_sample: Path) -> None:
    """Effects are rounded to twelve decimals one by one, so their sum may be off the change in the last of them."""
    published = Published(published_sample / FOLDER)
    moves = [move for one in published.vintages.all_in_force() if (move := published.outline(one).move)]
    assert len(moves) > 200
    for move in moves:
        spans = stack(move)
        given_amounts = [move.price, move.mix, move.entry, move.exit, move.replacement]
        amounts = [Fraction(amount) for amount in given_amounts if amount is not None]
        assert [end - begin for _, begin, end in spans] == amounts
        up = max([Fraction(0), *(end for _, _, end in spans)])
        down = min([Fraction(0), *(end for _, _, end in spans)])
        assert up + down == sum(amounts)
        assert up - down == sum(map(abs, amounts))
        assert abs(up + down - Fraction(move.change)) <= Fraction(len(amounts), 10**12)


def test_effects_of_one_sign_stand_on_each_other() -> None:
    move = Move(
        from_date="2026-06-01",
        from_value="2.0",
        from_sha256="0",
        change="0.25",
        price="1.5",
        mix="-2",
        entry="0.25",
        exit="0.5",
    )
    assert stack(move) == [
        ("price", Fraction(0), Fraction(3, 2)),
        ("mix", Fraction(0), Fraction(-2)),
        ("entry", Fraction(3, 2), Fraction(7, 4)),
        ("exit", Fraction(7, 4), Fraction(9, 4)),
    ]


def test_what_replaces_all_models_is_one_bar() -> None:
    move = Move(from_date="2026-06-01", from_value="2.0", from_sha256="0", change="-1.5", replacement="-1.5")
    assert stack(move) == [("replacement", Fraction(0), Fraction(-3, 2))]
    drawn = moves_plot(Days(FIRST, FIRST), {FIRST: move}, 2)
    assert [(key.name, key.total) for key in drawn.keys] == [("replacement", "−1.50")]
    assert drawn.replaced


def test_a_plot_says_what_is_missing_revised_and_of_which_quality() -> None:
    days = Days(FIRST, FIRST + 4)
    found = values(1, None, 3, 4, None)
    qualities = dict(zip(range(FIRST, FIRST + 4), ("good", "withheld", "degraded", "estimated"), strict=True))
    drawn = plot(
        days,
        [Line(kind="line", name="value", values=found, figure="4.000000")],
        worst=(values(1, None, 2), values(2, None, 9)),
        revised=[FIRST + 2],
        qualities=qualities,
    )
    assert [x for part in points(drawn.gaps) for x, _ in part[:1]] == [10, 40]
    assert len(points(drawn.worst)) == 2
    assert drawn.marks == ("50.00%",)
    shapes = dict(drawn.strip)
    assert list(shapes) == ["good", "degraded", "estimated", "withheld"]
    assert len(set(shapes.values())) == len(shapes)
    heights = {name: {y for part in points(path) for _, y in part} for name, path in shapes.items()}
    assert len({tuple(sorted(ys)) for ys in heights.values()}) == 4, "a shape each, not only a colour"
    assert [tick.label for tick in drawn.y] == ["0", "2", "4", "6", "8", "10"]


def test_the_description_names_the_extremes(published_sample: Path) -> None:
    published = Published(published_sample / FOLDER)
    records = {parse_date(one.date): published.outline(one) for one in published.in_force("openai", "1.0")}
    printed = {day: Fraction(record.value) for day, record in records.items() if record.value}
    lowest = min(printed, key=lambda day: printed[day])
    told = described(Days(min(records), max(records)), records).replace("\u00a0", " ")
    assert f"Lowest {records[lowest].value} on {int(format_date(lowest)[-2:])} " in told
    assert f"{len(printed)} of {len(records)} days have a value" in told

"""The published prices for agents: an MCP server with four tools that read and change nothing.

Every answer is typed and says its unit; figures are decimal text with the digits that were published. A refused call is
a tool error: its code, what was found, what to do. Needs the extra `mtok[mcp]`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from mtok import __version__
from mtok.client import Client
from mtok.client.points import Point, plain
from mtok.errors import MtokError
from mtok.wording.sentences import sentence
from mtok.wording.statements import EFFECTS_EXPLAINED, LICENCE, TOP_50, WHAT_IT_IS
from mtok.wording.words import company_of

POINTS_MAX: Final = 400
"""Points of one answer: what an agent can read. `get_series` says when there are more."""

UNIT: Final = "USD per 1M output tokens"

_INSTRUCTIONS: Final = (
    f"Daily reference prices of AI tokens in {UNIT}, one series a model company, by published rules. {WHAT_IT_IS} "
    f"{TOP_50} quality is good, degraded, estimated or withheld. A withheld day has no value, a missing day no "
    "point: never fill either. Figures are exact decimal text. The first print of a UTC day comes at 06:00 UTC of the "
    f"next, the final one at 14:00. Source: OpenRouter. {LICENCE}"
)

SeriesId = Annotated[
    str, Field(description="Id of a series, from list_series, such as openai or google-gemini.")
]
Day = Annotated[str, Field(description="A UTC day, YYYY-MM-DD.", json_schema_extra={"format": "date"})]
AsOf = Annotated[
    str | None,
    Field(
        description="Answer as published then: YYYY-MM-DD (its end, UTC) or YYYY-MM-DDTHH:MM:SSZ. Left out: now."
    ),
]
Figure = Annotated[
    str, Field(description="Figure text, exact as published.", pattern=r"^-?[0-9]+(\.[0-9]+)?$")
]


class Answer(BaseModel):
    """What every answer has."""

    warning: str | None = Field(default=None, description="Why this may not be the newest; null when it is.")


class Value(BaseModel):
    """One series on one day."""

    date: dt.date
    value: Figure | None = Field(description=f"{UNIT}; null where the day is withheld.")
    quality: str = Field(description="good, degraded, estimated or withheld (R-10).")
    reasons: list[str] = Field(description="Codes of why it is not good.")
    average_7d: Figure | None = Field(description=f"{UNIT}, mean of the printed values of seven days.")
    average_30d: Figure | None = Field(description=f"{UNIT}, mean of the printed values of thirty days.")
    price_index: Figure | None = Field(
        description="Posted prices alone, without mix; 100 on the first printed day."
    )
    stage: str = Field(description="prelim, final, backfill or informational.")
    vintage: int = Field(description="0 is what was said first of this day.")


class ListedSeries(BaseModel):
    """A series, and where it stands."""

    series: str
    company: str
    first_date: dt.date
    latest: Value


class SeriesList(Answer):
    """Every series."""

    unit: str = UNIT
    source: str
    series: list[ListedSeries]


class SeriesPoints(Answer):
    """A stretch of one series, oldest first."""

    series: str
    unit: str = UNIT
    points: list[Value]
    more_from: dt.date | None = Field(
        description="Ask again with this start for the rest; null when this is all."
    )


class Effect(BaseModel):
    """What one model did to a move."""

    constituent: str
    price: Figure | None = None
    mix: Figure | None = None
    entry: Figure | None = None
    exit: Figure | None = None
    replacement: Figure | None = None
    cause: str | None = Field(default=None, description="Why it entered or left.")


class Explained(Answer):
    """A move and its parts, which add up to the change."""

    series: str
    unit: str = UNIT
    from_date: dt.date
    to_date: dt.date
    from_value: Figure
    to_value: Figure
    change: Figure
    price: Figure | None = Field(default=None, description="Posted prices changed.")
    mix: Figure | None = Field(default=None, description="Use moved between cheaper and dearer models.")
    entry: Figure | None = Field(default=None, description="Models came in.")
    exit: Figure | None = Field(default=None, description="Models left.")
    replacement: Figure | None = Field(
        default=None, description="In place of the four where no model is on both days."
    )
    constituents: list[Effect]
    note: str = EFFECTS_EXPLAINED


class Priced(BaseModel):
    """A model in a value."""

    constituent: str
    tokens: int
    weight_share: Figure
    price_usd_per_mtok: Figure
    contribution_usd_per_mtok: Figure
    rung: str = Field(description="How its price was found: direct, fallback, carried, launch (R-5, R-6).")


class Proved(Answer):
    """One value, what it is made of, and the proof that it was published then and has not changed."""

    series: str
    company: str
    unit: str = UNIT
    point: Value
    said: str = Field(description="The day in one plain sentence, made from the record.")
    published_at: str
    as_of: str | None = Field(description="What was captured up to then went in.")
    truncation_low: Figure | None = Field(
        description=f"{UNIT}: the value if all that is unseen were cheapest."
    )
    truncation_high: Figure | None = Field(
        description=f"{UNIT}: the value if all that is unseen were dearest."
    )
    constituents: list[Priced]
    left_out: list[str] = Field(
        description="Models with tokens but without a paid price: in neither value nor weight."
    )
    record_path: str
    record_sha256: str
    proof: str = Field(
        description="c2sp.org/tlog-proof: leads from the record's log entry to the signed checkpoint."
    )
    verify: str = Field(description="The command that checks it; the key must come from somebody you trust.")


_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer", bound=Answer)
_Tool = Callable[Concatenate["Tools", _Arguments], _Answer]


def _told(tool: _Tool[_Arguments, _Answer]) -> _Tool[_Arguments, _Answer]:
    """Return the tool with refusals as tool errors, and with a warning where anything answered is a copy of before."""

    @wraps(tool)
    def answer(self: Tools, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        copied = f"{self.client.where} cannot be asked: this is the copy of before"
        with self.client.gathering():
            try:
                found = tool(self, *args, **kwargs)
            except MtokError as error:
                said = f"{error.code}: {error.found}. {error.remedy}".rstrip()
                raise ToolError(f"{said} {copied}" if self.client.offline else said) from None
            if self.client.offline:
                found.warning = copied
            return found

    return answer


class Tools:
    """The tools of the server, each a question to a client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @_told
    def list_series(self) -> SeriesList:
        """List every series with its company, first day and last published value. Start here."""
        found = [
            ListedSeries(
                series=point.series,
                company=company_of(point.series),
                first_date=self.client.series(point.series)[0].date,
                latest=_value(point),
            )
            for point in self.client.latest()
        ]
        return SeriesList(source=self.client.where, series=found)

    @_told
    def get_series(
        self, series: SeriesId, start: Day | None = None, end: Day | None = None, as_of: AsOf = None
    ) -> SeriesPoints:
        """Return the daily values of a series, oldest first, both ends included.

        At most 400 points an answer; `more_from` says where to go on. A missing day has no point and a withheld one no
        value: never fill either. Single days carry the working week: compare averages, or the same weekdays.
        """
        found = self.client.series(series, start, end, as_of=as_of)
        rest = found[POINTS_MAX:]
        return SeriesPoints(
            series=series,
            points=[_value(point) for point in found[:POINTS_MAX]],
            more_from=rest[0].date if rest else None,
        )

    @_told
    def explain_move(self, series: SeriesId, date0: Day, date1: Day, as_of: AsOf = None) -> Explained:
        """Explain the move of a series from one day to any later one: what is price, mix, entry and exit, exactly.

        Direct between the two days (R-11), not a sum of daily moves, with the effect of every model.
        """
        move = plain(self.client.explain(series, date0, date1, as_of=as_of))
        return Explained.model_validate({**move, "unit": UNIT})

    @_told
    def get_point(self, series: SeriesId, date: Day, as_of: AsOf = None) -> Proved:
        """Return one value with every model in it, how far the unseen could put it off, and its proof.

        The proof is not checked here: `verify` is the command that does, with a key from somebody you trust. It shows
        what was said when and that it never changed, not that the data it rests on were true.
        """
        receipt = self.client.point(series, date, as_of=as_of)
        point, record = receipt.point, receipt.record
        return Proved(
            series=series,
            company=company_of(series),
            point=_value(point),
            said=sentence(record),
            published_at=record.known_at,
            as_of=record.as_of,
            truncation_low=record.diagnostics.truncation_low,
            truncation_high=record.diagnostics.truncation_high,
            constituents=[Priced.model_validate(plain(row)) for row in record.constituents],
            left_out=[row.constituent for row in record.left_out],
            record_path=f"records/{series}/{point.date}.{point.vintage}.json",
            record_sha256=point.record_sha256,
            proof=self.client.proof(receipt),
            verify=f"mtok verify {self.client.where} --key KEY",
        )


def server(client: Client) -> MCPServer[Any]:
    """Return the server. client : where the answers come from"""
    made: MCPServer[Any] = MCPServer(
        "mtok",
        title="The open reference price for AI tokens",
        instructions=_INSTRUCTIONS,
        version=__version__,
        log_level="WARNING",
        subscriptions=False,
    )
    reads = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    tools = Tools(client)
    for tool in (tools.list_series, tools.get_series, tools.explain_move, tools.get_point):
        made.add_tool(tool, annotations=reads)
    return made


def _value(point: Point) -> Value:
    names = Value.model_fields
    return Value.model_validate({name: plain(getattr(point, name)) for name in names})

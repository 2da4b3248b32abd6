"""What is sent and answered, for the OpenAPI description: each field with its unit and an example.

Bodies are read by `mtok.venue.participants.given` and answers made by `told`; tests hold these models to both.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mtok.market.margin import Side
from mtok.settlement.values import Style

Id = Annotated[
    str, Field(description="An id of 22 characters, made by chance.", examples=["Zl3yM1JbQ8mT0pWq2kXv5A"])
]
Price = Annotated[
    str,
    Field(
        description="USD per million output tokens.",
        pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$",
        examples=["12.345600"],
    ),
]
Amount = Annotated[str, Field(description="USD.", pattern=r"^-?[0-9]+\.[0-9]{2}$", examples=["-490.00"])]
Month = Annotated[
    str, Field(description="A calendar month.", pattern=r"^[0-9]{4}-[0-9]{2}$", examples=["2026-08"])
]
Date = Annotated[
    str, Field(description="A UTC day.", json_schema_extra={"format": "date"}, examples=["2026-08-03"])
]
Instant = Annotated[
    str,
    Field(description="UTC.", json_schema_extra={"format": "date-time"}, examples=["2026-06-22T15:00:00Z"]),
]
Digest = Annotated[
    str, Field(description="sha256, hexadecimal.", pattern="^[0-9a-f]{64}$", examples=["ab" * 32])
]
Run = Annotated[
    str,
    Field(
        description="A day, which means its run at 15:00 UTC, or that instant.",
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$",
        examples=["2026-07-20"],
    ),
]
Lots = Annotated[int, Field(description="Lots of 100 million tokens.", ge=0, le=999_999_999, examples=[25])]
Flag = Annotated[bool, Field(examples=[False])]
SideName = Annotated[Side, Field(description="buy pays the fixed price, sell receives it.")]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Amendment(_Sent):
    """Fields of a request that may change, all as they are to be; what is left out is as in a new request."""

    lots: Lots
    month: Month
    limit: Price | None = None
    min_lots: Lots | None = None
    tail: Flag | None = None
    tolerance: Annotated[int, Field(description="Months either way.", ge=0, le=12)] | None = None
    expires: Run | None = None
    firm_until: Run | None = None


class NewRequest(Amendment):
    """A request as it is sent to the desk."""

    reference: Annotated[
        str, Field(description="A series, or model:author/name.", max_length=220, examples=["openai"])
    ]
    side: SideName
    settlement: Style | None = None


class Approval(_Sent):
    """What is approved: the digest of the terms that were read."""

    digest: Digest


class OtherTerms(Approval):
    """Which terms a side asks for instead of those with the digest."""

    price: Price
    lots: Lots


class Termination(_Sent):
    """The price to end a contract at."""

    price: Price


class DayValue(Termination):
    """What a day of the window without a mark is worth."""

    date: Date


class Dispute(DayValue):
    """What is said against a mark. price : the value held to be right · evidence : the sha256 of what shows it"""

    reason: Annotated[str, Field(description="One paragraph.", min_length=1, max_length=4000)]
    evidence: Annotated[list[Digest], Field(min_length=1, max_length=10)]


class LastRun(BaseModel):
    """The last run a request took part in."""

    run: Instant
    outcome: Literal["terms", "no match"]


class Request(BaseModel):
    """A request of one's own."""

    id: Id
    state: str
    reference: str
    methodology: str
    side: Side
    settlement: Style
    lots: int
    quantity_mtok: int
    month: Month
    limit: Price | None
    min_lots: int
    tail: bool
    tolerance: int
    expires: Instant
    firm_until: Instant | None
    confirmed_for: Instant | None
    next_run: Instant
    is_firm_for_next_run: bool
    filled_lots: int
    lots_in_terms: int
    last_run: LastRun | None
    reason: str | None


class Counterparty(BaseModel):
    """Who the other side is, and the nonce that opens its commitment in the terms."""

    legal_name: str
    lei: str
    nonce: str


class Asked(BaseModel):
    """Which other terms your side asks for; whether the other side asks too is not said."""

    price: Price
    lots: int


class Terms(BaseModel):
    """Terms sent to both sides. terms, digest : null once they have ended without a contract"""

    id: Id
    state: str
    side: Side
    digest: Digest | None
    terms: dict[str, Any] | None
    counterparty_class: str | None
    is_approved_by_you: bool
    asked: Asked | None
    counterparty: Counterparty | None


class Money(BaseModel):
    """The money of a contract."""

    moved_to_buyer: Amount
    buyer_collateral: Amount
    seller_collateral: Amount


class Call(BaseModel):
    """What a side has to post."""

    side: Side
    amount: Amount


class OpenCall(Call):
    """A call that is not paid; `due` is when it is overdue."""

    due: Instant


class MarginDay(Money):
    """A day of margin; amounts to the buyer."""

    date: Date
    mark: Price
    settlement_price: Price
    target: Amount
    due: Amount
    moved: Amount
    calls: list[Call]


class Agreed(BaseModel):
    """A day that both sides agreed on."""

    date: Date
    price: Price


class Said(BaseModel):
    """What one side has said and the other one has not yet. date : null for a price to end at"""

    command: Literal["agree", "terminate"]
    date: Date | None
    price: Price
    is_yours: bool
    until: Instant


class Closing(BaseModel):
    """How a contract has ended."""

    price: Price
    value_to_buyer: Amount
    open_to_buyer: Amount
    payer: Side | None
    paid_from_collateral: Amount
    debtor: Side | None
    claim: Amount
    to_buyer: Amount
    to_seller: Amount


class Contract(BaseModel):
    """A contract of one's own."""

    id: Id
    state: str
    side: Side
    terms: dict[str, Any]
    counterparty: Counterparty
    account: Money
    days: list[MarginDay]
    calls: list[OpenCall]
    agreed: list[Agreed]
    said: list[Said]
    default_noticed_at: Instant | None
    closing: Closing | None


class Mark(BaseModel):
    """A mark in the log that a contract looks at. your_price : what your side holds to be right, where it disputes"""

    date: Date
    price: Price
    level: str
    version: int
    state: str
    log_index: int
    source_date: Date
    quality: str
    dispute_until: Instant | None
    can_be_disputed: bool
    your_price: Price | None


class Half(BaseModel):
    """The contract, and whether the other side had said the same."""

    is_agreed: bool
    contract: Contract


class Contact(BaseModel):
    """Whom to reach at the other side, as it wrote it."""

    contact: str


class Reference(BaseModel):
    """A series, and why no contract may refer to it where none may."""

    reference: str
    methodology: str | None
    is_offered: bool
    why_not: str | None
    last_mark: Price | None
    days_printed: int


class Specification(BaseModel):
    """The contract specification in force. text : its file"""

    specification: str
    sha256: Digest
    text: str


class Clock(BaseModel):
    """The day of the market as it stands."""

    now: Instant
    next_run: Instant
    slot_end: Instant


class Wrong(BaseModel):
    """A field that cannot be taken."""

    field: str
    found: str
    remedy: str


class Problem(BaseModel):
    """A refusal (RFC 9457). code : stable · remedy : what to do"""

    type: str
    title: str
    status: int
    code: str
    detail: str
    remedy: str
    instance: str
    fields: list[Wrong] | None = None

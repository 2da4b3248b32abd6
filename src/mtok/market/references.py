"""What a contract may refer to: a published series, or one model's posted price, as far as it has printed lately."""

from __future__ import annotations

import msgspec

from mtok.calendar import parse_date
from mtok.market.margin import moves_of
from mtok.publication.marks import MODEL, sources_of
from mtok.publication.published import Published
from mtok.settlement.specification import Specification
from mtok.settlement.values import price_units


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A reference as it stands on a day. printed : of the last `printed_days`, how many have a value

    mark : the last one published, None where there is none · moves : of `mtok.market.margin.moves_of`
    """

    reference: str
    methodology: str
    printed: int
    mark: int | None
    moves: tuple[int, ...] = ()

    def is_offered(self, rules: Specification) -> bool:
        """Return whether it has printed often enough for a window to be expected whole."""
        return self.printed >= rules.printed_share_min * rules.printed_days


def reference_of(
    published: Published, reference: str, methodology: str, day: int, mark: int | None, rules: Specification
) -> Reference:
    """Return a reference as it stands on a day, from what is published of the days up to it."""
    values = history(published, reference, methodology)
    looked_at = range(day - rules.printed_days + 1, day + 1)
    return Reference(
        reference=reference,
        methodology=methodology,
        printed=sum(one in values for one in looked_at),
        mark=mark,
        moves=moves_of(values, day, rules),
    )


def history(published: Published, reference: str, methodology: str) -> dict[int, int]:
    """Return the values in force of a reference by day, 10⁻⁶ USD per million tokens; days without one are left out."""
    if reference.startswith(MODEL):
        return _posted(published, reference, methodology)
    return {
        parse_date(one.date): price_units(one.value)
        for one in published.in_force(reference, methodology)
        if one.value is not None
    }


def _posted(published: Published, reference: str, methodology: str) -> dict[int, int]:
    found: dict[int, int] = {}
    for date in published.vintages.dates():
        in_force = [one for one in sources_of(published, reference, date) if one.stage != "informational"]
        if in_force and in_force[-1].methodology == methodology and in_force[-1].value is not None:
            found[parse_date(date)] = in_force[-1].value
    return found


def refusal(reference: Reference | None, name: str, rules: Specification) -> str | None:
    """Return why a reference is not offered, in words; None where it is."""
    if reference is None:
        return f"{name} is not published"
    if not reference.is_offered(rules):
        return (
            f"{name} has printed on {reference.printed} of the last {rules.printed_days} days, under "
            f"{rules.printed_share_min}"
        )
    return None

"""A market driven three times: to the book, to the plain model, and to the database, which is compared with the book.

`Drive` picks what is done and compares book and model; here every command is given to what is kept too. What time
brings is sometimes left undone in the database until a command looks at an object, as in a venue whose clock is slow.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from market_driving import Drive
from market_model import DAY, HOUR
from market_world import LAST, Pick, next_run
from mtok.market import book as market
from mtok.market.book import Book
from mtok.market.commands import Command
from mtok.market.parties import Party
from mtok.market.references import Reference
from mtok.market.trial_balance import check
from mtok.settlement.machines import Refused
from mtok.settlement.people import Actor


class KeptDrive(Drive):
    """A market in three shapes."""

    def __init__(self, pick: Pick, seed: int) -> None:
        super().__init__(pick)
        from mtok.venue.database.books import Surroundings

        self._chance = random.Random(seed)
        self._surroundings = Surroundings(
            rules=self.book.rules, parties=self._parties, references=self._references, follow=_follow
        )

    def _parties(self, names: Iterable[str]) -> dict[str, Party]:
        return {name: self.book.parties[name] for name in names if name in self.book.parties}

    def _references(self, names: Iterable[str], _: int) -> dict[str, Reference]:
        return {name: self.book.references[name] for name in names if name in self.book.references}

    def give(
        self,
        kind: str,
        command: str,
        name: str,
        actor: Actor,
        details: Any = None,
        *,
        second: Actor | None = None,
        **said: Any,
    ) -> bool:
        """Give a command to all three, and compare."""
        from mtok.venue.database import giving

        asked = Command(
            kind=kind, command=command, id=name, actor=actor, at=self.now, second=second, details=details
        )
        code = "done"
        try:
            giving.give(asked, self._surroundings)
        except Refused as refused:
            code = refused.code
        done = super().give(kind, command, name, actor, details, second=second, **said)
        assert (code == "done") == done, f"{command} of {kind} {name}: {code} in the database"
        assert self.outcomes[f"{kind} {command} {code}"], f"{code} in the database alone"
        self.compare_kept()
        return done

    def run(self) -> None:
        """Make a run in all three."""
        from mtok.venue.database import giving, runs

        at = self.now if (self.now - 15 * HOUR) % DAY == 0 else next_run(self.now)
        if at >= LAST:
            return
        first = int(repr(self.names)[6:-1])
        names = [f"m{first + number}" for number in range(40)]
        if runs.is_made(at):
            return
        giving.look_at_run(self._surroundings, at)
        giving.give_run(self._surroundings, at, iter(names))
        super().run()
        self.compare_kept()

    def go(self, instant: int) -> bool:
        """Let time pass in book and model, and in the database too or not yet."""
        gone = super().go(instant)
        if gone and self._chance.random() < 0.3:
            self._let_time_pass()
        return gone

    def _let_time_pass(self) -> None:
        from mtok.venue.database import giving

        giving.let_time_pass(self._surroundings, self.now)

    def compare_kept(self) -> None:
        """Raise AssertionError where what is kept differs from the book, or from its own history."""
        from mtok.venue.database import ledger
        from mtok.venue.database.models import Event
        from mtok.venue.database.records import KINDS

        self._let_time_pass()
        book = market.advance(self.book, self.now)
        for kind in ("request", "proposal", "contract"):
            objects: dict[str, Any] = getattr(book, f"{kind}s")
            rows = {row.pk: row for row in KINDS[kind].table.objects.all()}
            assert rows.keys() == objects.keys(), f"{kind}s: {sorted(rows.keys() ^ objects.keys())}"
            for name, one in objects.items():
                found = KINDS[kind].read(rows[name].record)
                assert found == one, f"{kind} {name}: {found} is kept, {one} is in the book"
                assert msgspec.json.encode(found) == msgspec.json.encode(one)
                assert rows[name].state == one.state
        last = {
            (event.kind, event.object): event for event in Event.objects.exclude(kind="run").order_by("pk")
        }
        for (kind, name), event in last.items():
            row = KINDS[kind].table.objects.get(pk=name)
            assert (event.version, event.state, event.record) == (row.version, row.state, row.record)
        assert check(ledger.transactions(), book.contracts.values()) == []


def _follow(_: Book, changes: Sequence[Any], cause: Command) -> None:
    from mtok.venue.database import ledger

    ledger.post(changes, cause)

"""State machines as tables: state, command, next states, who may, what has to hold. Anything else is refused.

A table is the single source: the code steps by it, the documents print it, and a test tries every (state, command,
role) that is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from mtok.errors import AnswerIsNo
from mtok.settlement.people import Actor, Role

NEW: Final = "new"
"""The state of what does not exist yet."""


class Refused(AnswerIsNo):
    """A command that the rules do not allow. Nothing has changed. `code` says which rule."""


class Transition(NamedTuple):
    """A row of a table. to : the guard or the effect decides among several · guard : in words, for the documents"""

    state: str
    command: str
    to: tuple[str, ...]
    who: tuple[Role, ...]
    guard: str

    def next(self, state: str | None = None) -> str:
        """Return the next state, of several the one that is named; one that is not in the row is our own mistake."""
        assert (state or self.to[0]) in self.to, (
            f"{self.command} leads from {self.state} to {self.to}, not {state}"
        )
        assert state or len(self.to) == 1, f"{self.command} leads to one of {self.to}"
        return state or self.to[0]


class Machine:
    """The table of one kind of object, its rows (states, command, next states, who, guard), states by spaces.

    roles : every one that may do anything
    """

    def __init__(self, name: str, rows: Iterable[tuple[str, str, str, tuple[Role, ...], str]]) -> None:
        self.name = name
        self.rows = tuple(
            Transition(state, command, tuple(to.split() or [state]), who, guard)
            for states, command, to, who, guard in rows
            for state in states.split()
        )
        self.roles = frozenset(role for row in self.rows for role in row.who)
        self._rows = {(row.state, row.command): row for row in self.rows}
        assert len(self._rows) == len(self.rows), f"{name}: a state and command have two rows"

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, in the order of the table."""
        return tuple(dict.fromkeys(state for row in self.rows for state in (row.state, *row.to)))

    @property
    def commands(self) -> tuple[str, ...]:
        """Every command, in the order of the table."""
        return tuple(dict.fromkeys(row.command for row in self.rows))

    def has(self, state: str, command: str) -> bool:
        """Return whether a command is listed for a state."""
        return (state, command) in self._rows

    def step(self, state: str, command: str, actor: Actor, shown: str | None = None) -> Transition:
        """Return the row of a command that an actor gives. Raises Refused (`not_allowed`, `not_yours`).

        shown : what the actor may be told the state is, where that is not the state
        """
        row = self._rows.get((state, command))
        if row is None:
            possible = [one.command for one in self.rows if one.state == state and actor.role in one.who]
            raise Refused(
                "not_allowed",
                f"a {self.name} that is {shown or state} cannot be given the command {command}",
                f"Possible for {actor.role}: {', '.join(possible) or 'nothing'}.",
            )
        if actor.role not in row.who:
            raise Refused(
                "not_yours",
                f"{actor.role} may not {command} a {self.name} that is {shown or state}",
                f"That is for {', '.join(row.who)}.",
            )
        return row

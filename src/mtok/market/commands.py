"""A command: who wants what done to which object, and when. Effects take it as it is."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from mtok.settlement.guards import refuse_positions, refuse_same_person
from mtok.settlement.machines import Machine, Refused
from mtok.settlement.people import OPERATORS, Actor

_T = TypeVar("_T")
_OPERATORS: Final = ", ".join(OPERATORS)


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What an actor wants done. kind : of the object · at : the instant

    second : the other person, of commands that take two · details : what the command says beyond its name; its effect
    knows of which type
    """

    kind: str
    command: str
    id: str
    actor: Actor
    at: int
    second: Actor | None = None
    details: Any = None

    def given(self, kind: type[_T]) -> _T:
        """Return the details; those of another type are our own mistake."""
        assert isinstance(self.details, kind), f"{self.command} of a {self.kind} without its {kind.__name__}"
        return self.details

    def reason(self) -> str:
        """Return the details as a written reason. Raises Refused (`reason_missing`) for an empty one."""
        text = self.given(str)
        if not text.strip():
            raise Refused("reason_missing", "no reason", "Write why.")
        return text

    def two_persons(self, machine: Machine, state: str) -> tuple[Actor, Actor]:
        """Return the two persons who give the command, both in a role that may.

        Raises Refused: `second_missing`, `not_yours`, `same_person`
        """
        second = self._second()
        machine.step(state, self.command, second)
        refuse_same_person(self.actor, second.person)
        return self.actor, second

    def refuse_one_operator(self) -> None:
        """Raise Refused unless a second operator, of whatever role, gives the command too.

        Refused: `second_missing`, `not_yours`, `same_person`, `has_position`
        """
        second = self._second()
        if second.role not in OPERATORS:
            raise Refused(
                "not_yours", f"{second.role} cannot be the second person", f"That is for {_OPERATORS}."
            )
        refuse_same_person(self.actor, second.person)
        refuse_positions(second)

    def _second(self) -> Actor:
        if self.second is None:
            raise Refused(
                "second_missing", f"one person cannot {self.command}", "Do it together with another one."
            )
        return self.second

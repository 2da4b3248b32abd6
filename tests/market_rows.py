"""The tables of the market once more, typed from the design: states, command, who may, next state."""

from __future__ import annotations

from typing import Any

_ROLES = {"U": "participant_user", "A": "participant_approver", "D": "desk", "T": "treasury", "S": "system"}
_TABLES = {  # states · command · who · next state, . the same
    "request": "new draft U draft;draft submit U submitted;submitted accept D live;submitted reject D rejected;"
    "live amend U .;live confirm U .;live pause UD paused;paused resume UD live;live,paused cancel U cancelled;"
    "live,paused expire S expired;live,paused fill S filled;submitted,live,paused suspend D suspended;live draw S .",
    "proposal": "new match S candidate;candidate send D terms_sent;candidate drop D dropped;"
    "terms_sent,amended approve A one_approved;one_approved approve A both_approved;"
    "terms_sent,amended,one_approved decline A declined;terms_sent,amended,one_approved amend D amended;"
    "candidate,terms_sent,amended,one_approved lapse S lapsed;both_approved book S booked",
    "contract": "new book S booked;booked activate T active;booked void S voided;active disrupt S disrupted;"
    "disrupted recover S active;active,disrupted,default_notice margin S .;active,disrupted,default_notice post T .;"
    "active,disrupted agree A .;active,disrupted mature S final_pending;final_pending settle T settled;"
    "settled close T closed;active,disrupted notice T default_notice;default_notice cure T active;"
    "default_notice close_out T closed_out;active,disrupted terminate A terminated;disrupted end T terminated",
}
TABLES = {
    kind: {
        (state, command): (tuple(_ROLES[one] for one in who), state if to == "." else to)
        for states, command, who, to in (row.split() for row in text.split(";"))
        for state in states.split(",")
    }
    for kind, text in _TABLES.items()
}


# What is known of an object, by attribute too: what was never said is None.
Known: Any = type("Known", (dict,), {"__getattr__": dict.get, "__setattr__": dict.__setitem__})


class No(Exception):
    """A command that is refused. Its argument is the code."""


def no(**codes: Any) -> None:
    """Refuse by the first code that holds."""
    for code in (code for code, holds in codes.items() if holds):
        raise No(code)

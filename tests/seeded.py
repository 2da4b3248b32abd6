"""Defects put into the code on purpose: a function with a piece of its text exchanged, in the place of the function."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any, NamedTuple

import pytest


class Seed(NamedTuple):
    """A defect. holder : what holds a function by a name, a module, class or dictionary · before, after : its text"""

    title: str
    holder: Any
    name: str
    before: str
    after: str

    def plant(self, patch: pytest.MonkeyPatch) -> None:
        """Put the defect in. The text it exchanges has to be there, once."""
        is_dictionary = isinstance(self.holder, dict)
        function = self.holder[self.name] if is_dictionary else getattr(self.holder, self.name)
        if is_dictionary:
            patch.setitem(self.holder, self.name, exchanged(function, self.before, self.after))
        else:
            patch.setattr(self.holder, self.name, exchanged(function, self.before, self.after))


def exchanged(function: Any, before: str, after: str) -> Any:
    """Return a function made of another's text with a piece of it exchanged; it sees the globals of the other."""
    text = textwrap.dedent(inspect.getsource(function))
    assert text.count(before) == 1, f"{function.__name__} has {text.count(before)} times: {before}"
    code = compile(
        text.replace(before, after),
        f"<{function.__name__}, seeded>",
        "exec",
    )
    made: dict[str, Any] = {}
    exec(code, function.__globals__, made)
    return made[function.__name__]

"""A form that was filled in: what it asks for is tried, and a refusal stands above the form with what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django import forms

from mtok.settlement.machines import Refused

_T = TypeVar("_T")

STATUS_REFUSED = 422
"""Of a page that shows a form again because of what was wrong with it."""


def tried(form: forms.Form, work: Callable[[], _T]) -> _T | None:
    """Return what `work` returns; None where the form is not valid or the rules refuse, which the form then says."""
    if not form.is_valid():
        return None
    try:
        return work()
    except Refused as refused:
        form.add_error(None, forms.ValidationError(f"{refused.found}. {refused.remedy}", refused.code))
        return None

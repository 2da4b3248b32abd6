"""The pages of marks: the list of days, and the page of one day, on which it is prepared, approved, judged.

No form takes a number: a value is chosen among those that were published, by its place in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from mtok.calendar import DAY, format_date, parse_date
from mtok.errors import AnswerIsNo, BadCall, MtokError
from mtok.methodology.registry import VERSIONS
from mtok.settlement.machines import Refused
from mtok.settlement.people import OPERATORS, Role
from mtok.settlement.review import REASON_MAX
from mtok.venue import place
from mtok.venue.accounts.asking import has_just_stepped_up, in_role, see_other, step_up_address
from mtok.venue.accounts.principals import Principal
from mtok.venue.attached import Attached
from mtok.venue.operators import marks_shown
from mtok.venue.otc import judging, marking
from mtok.venue.otc.marking import Case, look
from mtok.venue.otc.settling import MARGIN_HOUR

READERS: Final = (*OPERATORS, Role.AUDITOR)
_METHODOLOGIES: Final = {version.methodology for version in VERSIONS if version.effective_from is not None}


class Reason(forms.Form):
    """A written reason: one paragraph."""

    reason = forms.CharField(
        label="Reason",
        max_length=REASON_MAX,
        widget=forms.Textarea({"rows": 3}),
        help_text="One paragraph, for whoever reads this in three years. Its digest goes into the log; name nobody.",
    )

    def clean_reason(self) -> str:
        """Return it in one line."""
        return " ".join(self.cleaned_data["reason"].split())


class Choice(Reason):
    """A reason, and one of the values that were published, by its place in the log."""

    source = forms.IntegerField(widget=forms.HiddenInput)


@in_role(*READERS)
@require_safe
def marks(request: HttpRequest) -> HttpResponse:
    """Return the days and references with the state of their marks."""
    rows = marks_shown.listed(place.now())
    content = {
        "title": "Marks",
        "rows": rows,
        "waiting": sum(row["is_waiting"] for row in rows),
        "margin_hour": MARGIN_HOUR,
    }
    return render(request, "venue/marks/list.html", content)


@in_role(*READERS)
@require_safe
def mark_day(request: HttpRequest, date: str, methodology: str, reference: str) -> HttpResponse:
    """Return the page of a day of a reference."""
    case = _case(date, methodology, reference)
    content = marks_shown.shown(case, place.now())
    return render(request, "venue/marks/day.html", content | _doable(request, case, content))


@in_role(*OPERATORS)
@require_POST
def mark_command(request: HttpRequest, date: str, methodology: str, reference: str) -> HttpResponse:
    """Give the command of a form, and go back to the page of the day with what came of it."""
    case = _case(date, methodology, reference)
    do = _COMMANDS.get(request.POST.get("command", ""))
    try:
        said = "Nothing was asked for." if do is None else do(request, case)
        messages.success(request, said)
    except MtokError as error:
        messages.error(request, f"{_sentence(error.found)} {error.remedy}")
    return see_other(reverse("mark_day", args=(date, methodology, reference)))


def _case(date: str, methodology: str, reference: str) -> Case:
    """Return the day that an address names. Raises AnswerIsNo (`page_unknown`) for none."""
    try:
        day = parse_date(date)
        known = methodology in _METHODOLOGIES and day < place.now() // DAY
    except ValueError:
        known = False
    if not known:
        raise AnswerIsNo(
            "page_unknown", "there is no such day of marks", "The list of marks is at /venue/marks."
        )
    return look(reference, methodology, day, place.now())


def _doable(request: HttpRequest, case: Case, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what whoever asks can do on the page, and its forms. step_up : where their second factor is due first"""
    principal: Principal = request.principal
    roles, state = principal.roles, content["state"]
    is_judge = bool(roles.intersection(OPERATORS))
    may_judge = is_judge and state in ("published", "disputed")
    return {
        "title": f"Mark of {case.reference}, {format_date(case.day)}",
        "step_up": None if has_just_stepped_up(principal) else step_up_address(principal, request.path),
        "may_prepare": Role.MARK_PREPARER in roles and content["is_open"],
        "may_hold": Role.MARK_PREPARER in roles and state == "proposed",
        "may_release": Role.MARK_PREPARER in roles and state == "held",
        "may_approve": Role.MARK_APPROVER in roles and state == "proposed",
        "is_own": case.last is not None and case.last.mark.preparer == principal.person,
        "may_uphold": may_judge and state == "disputed",
        "may_correct": may_judge and bool(content["later"]),
        "may_confirm": may_judge,
        "decidable": marks_shown.decidable(case) if content["decides"] and content["is_open"] else [],
        "reason": Reason(auto_id="id_%s"),
        "evidence": Attached(auto_id="id_evidence_%s"),
    }


# ---- the commands


def _prepare(request: HttpRequest, case: Case) -> str:
    made = marking.prepare(request.principal, case.reference, case.methodology, case.day)
    return _proposed(made.mark.state)


def _decide(request: HttpRequest, case: Case) -> str:
    found = _filled(Choice, request)
    made = marking.prepare(
        request.principal,
        case.reference,
        case.methodology,
        case.day,
        decided=found["source"],
        reason=found["reason"],
    )
    return _proposed(made.mark.state)


def _proposed(state: str) -> str:
    if state == "held":
        return "The mark is held; below stands why. Attach evidence to go on with it."
    return "The mark is proposed. Another person has to approve it."


def _hold(request: HttpRequest, case: Case) -> str:
    marking.hold(request.principal, _shown(request, case), _filled(Reason, request)["reason"])
    return "The mark is held."


def _release(request: HttpRequest, case: Case) -> str:
    form = Attached(request.POST, request.FILES)
    _refuse_unfilled(form)
    marking.release(request.principal, _shown(request, case), form.cleaned_data["reason"], (form.digest(),))
    return "The mark is proposed again. Another person has to approve it."


def _approve(request: HttpRequest, case: Case) -> str:
    marking.approve(request.principal, _shown(request, case), request.POST["digest"])
    return "The mark is approved. It is printed with the next tick of the clock."


def _reject(request: HttpRequest, case: Case) -> str:
    marking.reject(request.principal, _shown(request, case), _filled(Reason, request)["reason"])
    return "The mark is rejected. The value it rested on is ruled out for this day."


def _uphold(request: HttpRequest, case: Case) -> str:
    judging.intend(request.principal, _shown(request, case), "uphold", _filled(Reason, request)["reason"])
    return "Said. Another operator has to confirm it within a day."


def _correct(request: HttpRequest, case: Case) -> str:
    found = _filled(Choice, request)
    judging.intend(request.principal, _shown(request, case), "correct", found["reason"], found["source"])
    return "Said. Another operator has to confirm it within a day."


def _confirm(request: HttpRequest, _: Case) -> str:
    judging.confirm(request.principal, request.POST.get("intention", ""), request.POST.get("digest", ""))
    return "Confirmed and done."


_COMMANDS: Final[Mapping[str, Callable[[HttpRequest, Case], str]]] = {
    "prepare": _prepare,
    "decide": _decide,
    "hold": _hold,
    "release": _release,
    "approve": _approve,
    "reject": _reject,
    "uphold": _uphold,
    "correct": _correct,
    "confirm": _confirm,
}


def _shown(request: HttpRequest, case: Case) -> str:
    """Return the id of the mark that the page of a form has shown. Raises Refused: `not_found`, `digest_stale`."""
    if case.last is None:
        raise Refused("not_found", "the day has no mark yet", "Prepare one.")
    if request.POST.get("digest") != case.last.mark.digest:
        raise Refused("digest_stale", "the mark is not what the page has shown any more", "Look at it again.")
    return case.last.id


def _filled(kind: type[Reason], request: HttpRequest) -> dict[str, Any]:
    """Return what a form says. Raises BadCall (`form_incomplete`) where something is missing."""
    form = kind(request.POST)
    _refuse_unfilled(form)
    found: dict[str, Any] = form.cleaned_data
    return found


def _refuse_unfilled(form: forms.Form) -> None:
    if not form.is_valid():
        name, errors = next(iter(form.errors.items()))
        raise BadCall(
            "form_incomplete",
            f"{name}: {' '.join(errors)}",
            "Nothing was changed. Fill it in and send it again.",
        )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."

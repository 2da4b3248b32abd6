"""What an auditor reads: the log of all that happened, its exports, and every object as the reveal table gives it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mtok.errors import BadCall
from mtok.market.book import CONTRACT
from mtok.settlement.people import Role
from mtok.venue import place
from mtok.venue.accounts.asking import in_role
from mtok.venue.accounts.models import AccountEvent
from mtok.venue.database.models import Intention
from mtok.venue.operators.describing import command, facts, terms_facts
from mtok.venue.operators.logged import KIND_NAMES, Filter, Logged, events, filter_of, logged
from mtok.venue.operators.said import reason_of
from mtok.venue.operators.treasury import contract_content
from mtok.venue.otc import trading
from mtok.venue.pages.paging import page_of

PAGE_ROWS: Final = 50
EXPORT_MAX: Final = 10_000
"""Events of one export."""
_ID_DIGITS: Final = 18
_UNNAMED: Final = frozenset("kind login organisation role scopes expires_at reason".split())
"""Of what an event of accounts says, what names nobody."""
_COLUMNS: Final = tuple(name for name in Logged.__dataclass_fields__)


@in_role(Role.AUDITOR)
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    """Return the log, the last event first; `before` is the id of the event that a page goes on from."""
    chosen = filter_of(request.GET)
    rows = events(chosen, place.now())
    before = _id(request.GET.get("before", ""))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: PAGE_ROWS + 1])
    asked = chosen.pairs()
    content = {
        "title": "Audit log",
        "chosen": chosen,
        "kinds": KIND_NAMES,
        "events": [logged(one) for one in found[:PAGE_ROWS]],
        "is_first": before is None,
        "first_address": f"?{urlencode(asked)}" if asked else "?",
        "next_address": f"?{urlencode(asked | {'before': found[PAGE_ROWS - 1].pk})}"
        if len(found) > PAGE_ROWS
        else "",
        "query": f"?{urlencode(asked)}" if asked else "",
        "export_max": EXPORT_MAX,
    }
    return render(request, "venue/operators/log.html", content)


@in_role(Role.AUDITOR)
@require_safe
def log_csv(request: HttpRequest) -> HttpResponse:
    """Return the events of a filter as CSV, the first one first."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for one in _exported(filter_of(request.GET)):
        fields = one.fields()
        writer.writerow([_cell(fields[name]) for name in _COLUMNS])
    return _file(written.getvalue(), "text/csv; charset=utf-8", "audit-log.csv")


@in_role(Role.AUDITOR)
@require_safe
def log_jsonl(request: HttpRequest) -> HttpResponse:
    """Return the events of a filter as JSON Lines, the first one first."""
    lines = (json.dumps(one.fields(), ensure_ascii=False) for one in _exported(filter_of(request.GET)))
    return _file(
        "".join(f"{line}\n" for line in lines), "application/jsonl; charset=utf-8", "audit-log.jsonl"
    )


def _exported(chosen: Filter) -> list[Logged]:
    """Return the events of an export. Raises BadCall (`export_too_long`)."""
    found = list(events(chosen, place.now())[: EXPORT_MAX + 1])
    if len(found) > EXPORT_MAX:
        raise BadCall(
            "export_too_long",
            f"more than {EXPORT_MAX:,} events are asked for",
            "Ask for fewer days, and for the rest in further files.",
        )
    return [logged(one) for one in reversed(found)]


def _cell(value: Any) -> str:
    """Return a cell, with a blank before what a spreadsheet would take for a formula."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f" {text}" if text.startswith(("=", "+", "-", "@")) else text


def _file(text: str, kind: str, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@in_role(Role.AUDITOR)
@require_safe
def objects(request: HttpRequest, kind: str) -> HttpResponse:
    """Return the objects of a kind by id, as an auditor sees them; `after` is the id that a page goes on from."""
    after = request.GET.get("after", "")
    found = trading.listed(request.principal, Role.AUDITOR, kind, after=after, size=PAGE_ROWS + 1)
    content = {
        "title": f"{kind.capitalize()}s",
        "kind": kind,
        "objects": found[:PAGE_ROWS],
        "next_id": found[PAGE_ROWS - 1]["id"] if len(found) > PAGE_ROWS else "",
        "is_first": not after,
    }
    return render(request, "venue/operators/objects.html", content)


@in_role(Role.AUDITOR)
@require_safe
def object_page(request: HttpRequest, kind: str, identity: str) -> HttpResponse:
    """Return an object as an auditor sees it, and what happened to it."""
    shown = trading.seen(request.principal, kind, identity, Role.AUDITOR)
    content = {
        "title": f"{kind.capitalize()} {identity}",
        "kind": kind,
        "identity": identity,
        "facts": facts(shown, without=("id",)),
        "terms": terms_facts(shown["terms"]) if shown.get("terms") else [],
        "happened": [logged(one) for one in _history(kind, identity)],
    }
    beside = contract_content(shown) if kind == CONTRACT else {}
    return render(request, "venue/operators/object.html", beside | content)


def _history(kind: str, identity: str) -> Iterable[Any]:
    return events(Filter(kind=kind, object=identity), place.now())[:PAGE_ROWS]


@in_role(Role.AUDITOR)
@require_safe
def halves(request: HttpRequest) -> HttpResponse:
    """Return what one operator has said of commands that take two, the last first, and what became of it."""
    rows = Intention.objects.filter(party=None).order_by("-made_at", "-pk")
    page, pages = page_of(request.GET.get("page", ""), rows.count(), PAGE_ROWS)
    now = place.now()
    content = {
        "title": "Said by one person",
        "halves": [_half(one, now) for one in rows[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]],
        "page": page,
        "pages": pages,
    }
    return render(request, "venue/operators/halves.html", content)


def _half(one: Intention, now: int) -> dict[str, Any]:
    became = {"given": "confirmed", "withdrawn": "taken back"}.get(one.state)
    return {
        "at": one.made_at,
        "command": command(one.command),
        "kind": one.kind,
        "object": one.object,
        "person": one.person,
        "role": one.role,
        "reason": reason_of(one),
        "became": became or ("waits" if now < one.ends_at else "ran out"),
    }


@in_role(Role.AUDITOR, Role.ADMIN)
@require_safe
def accounts(request: HttpRequest) -> HttpResponse:
    """Return what happened to accounts, the last first; no business is in it."""
    before = _id(request.GET.get("before", ""))
    rows = AccountEvent.objects.order_by("-pk")
    found = list((rows if before is None else rows.filter(pk__lt=before))[: PAGE_ROWS + 1])
    is_auditor = Role.AUDITOR in request.principal.roles
    content = {
        "title": "Account log",
        "frame_of_area": f"venue/operators/{'base_audit' if is_auditor else 'base_alone'}.html",
        "events": [
            {
                "at": one.at,
                "person": one.person,
                "what": one.what.replace("_", " "),
                "about": one.about,
                "content": _account_content(one, is_auditor=is_auditor),
            }
            for one in found[:PAGE_ROWS]
        ],
        "is_first": before is None,
        "next_id": found[PAGE_ROWS - 1].pk if len(found) > PAGE_ROWS else "",
    }
    return render(request, "venue/operators/accounts.html", content)


def _account_content(event: AccountEvent, *, is_auditor: bool) -> str:
    """Return what an event of accounts says, as JSON.

    Auditors see parties by id, without names; admins see nothing of business, as why a contact was opened.
    """
    if event.what.startswith("contact.") and not is_auditor:
        return ""
    said = {name: value for name, value in event.content.items() if name in _UNNAMED or not is_auditor}
    return json.dumps(said, ensure_ascii=False) if said else ""


def _id(asked: str) -> int | None:
    """Return the id of an event that an address names. Raises BadCall (`filter_invalid`)."""
    if not asked:
        return None
    if not (asked.isascii() and asked.isdecimal() and len(asked) <= _ID_DIGITS):
        raise BadCall(
            "filter_invalid", f"{asked[:20]!r} is the id of no event", "Follow the links of the page."
        )
    return int(asked)

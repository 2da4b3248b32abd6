"""The addresses of those who run the venue, under /venue/."""

from __future__ import annotations

from typing import Final

from django.urls import path, re_path

from mtok.market.book import MACHINES
from mtok.venue.operators import (
    audit,
    desk,
    disruptions,
    marks,
    notices,
    owed,
    pairs,
    said,
    screening,
    treasury,
)

_KIND: Final = f"(?P<kind>{'|'.join(MACHINES)})"
_IDENTITY: Final = "(?P<identity>[A-Za-z0-9_-]{1,22})"

urlpatterns = [
    path("desk/", desk.overview, name="desk"),
    path("desk/book", desk.book, name="desk_book"),
    path("desk/runs", desk.runs, name="desk_runs"),
    path("desk/conduct", desk.habits, name="desk_conduct"),
    path("desk/requests/<str:identity>", screening.request_page, name="desk_request"),
    path("desk/requests/<str:identity>/suspend", screening.suspend, name="desk_request_suspend"),
    path(
        "desk/requests/<str:identity>/<slug:command>", screening.request_command, name="desk_request_command"
    ),
    path("desk/proposals", pairs.proposals, name="desk_proposals"),
    path("desk/proposals/<str:identity>", pairs.proposal_page, name="desk_proposal"),
    path(
        "desk/proposals/<str:identity>/<slug:command>", pairs.proposal_command, name="desk_proposal_command"
    ),
    path("desk/said/<str:identity>", said.confirm, name="operators_confirm"),
    path("desk/notices", notices.notices, name="operators_notices"),
    path("desk/notices/<str:identity>", notices.notice, name="operators_notice"),
    path("treasury/", treasury.overview, name="treasury"),
    path("treasury/obligations", owed.obligations, name="treasury_obligations"),
    path("treasury/disruptions", disruptions.disruptions, name="treasury_disruptions"),
    path("treasury/contracts/<str:identity>", treasury.contract_page, name="treasury_contract"),
    path(
        "treasury/contracts/<str:identity>/<slug:command>",
        treasury.contract_command,
        name="treasury_contract_command",
    ),
    path("marks", marks.marks, name="marks"),
    path(
        "marks/<date:date>/<str:methodology>/<path:reference>/give", marks.mark_command, name="mark_command"
    ),
    path("marks/<date:date>/<str:methodology>/<path:reference>", marks.mark_day, name="mark_day"),
    path("audit/", audit.log, name="audit"),
    path("audit/log.csv", audit.log_csv, name="audit_csv"),
    path("audit/log.jsonl", audit.log_jsonl, name="audit_jsonl"),
    path("audit/said", audit.halves, name="audit_said"),
    path("audit/runs", desk.audited_runs, name="audit_runs"),
    path("audit/disruptions", disruptions.audited_disruptions, name="audit_disruptions"),
    path("audit/accounts", audit.accounts, name="audit_accounts"),
    re_path(f"^audit/{_KIND}s$", audit.objects, name="audit_objects"),
    re_path(f"^audit/{_KIND}s/{_IDENTITY}$", audit.object_page, name="audit_object"),
]

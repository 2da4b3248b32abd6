"""What stands on every private page: who is signed in, where they may go, that contracts are paper ones.

`LINKS` is the navigation of the venue, in one place: whoever adds a page that people are to find adds its line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse

from mtok.settlement.people import OPERATORS, PARTICIPANTS, Role
from mtok.venue.accounts.asking import principal_of
from mtok.venue.environment import venue_environment
from mtok.venue.front import is_private

EVERYBODY: Final = frozenset(Role)
_PARTICIPANTS: Final = frozenset(PARTICIPANTS)


@dataclass(frozen=True, kw_only=True)
class Link:
    """A page of the venue. does : what is done there, a sentence for the home page

    roles : who has business there; for everybody who is signed in, whatever their roles, `needs_role` is False
    """

    name: str
    url_name: str
    does: str
    roles: frozenset[Role] = EVERYBODY
    needs_role: bool = True


LINKS: Final[list[Link]] = [
    Link(name="Venue", url_name="venue_home", does="", needs_role=False),
    Link(
        name="Requests",
        url_name="venue_requests",
        does="What you ask for: new requests, confirm them for a run, amend or cancel them.",
        roles=_PARTICIPANTS,
    ),
    Link(
        name="Terms",
        url_name="venue_terms",
        does="What a run has found for you, to be approved or declined until the next run.",
        roles=_PARTICIPANTS,
    ),
    Link(
        name="Contracts",
        url_name="venue_contracts",
        does="What you have agreed: margin day by day, calls, documents.",
        roles=_PARTICIPANTS,
    ),
    Link(
        name="Notifications",
        url_name="venue_notifications",
        does="What you were told, the same as by mail.",
        roles=_PARTICIPANTS,
    ),
    Link(
        name="Complaints",
        url_name="venue_complaints",
        does="What is wrong, and what the venue answers.",
        roles=_PARTICIPANTS,
    ),
    Link(
        name="Specification",
        url_name="venue_specification",
        does="What a contract is: every number with its reason, and which prices it may refer to.",
        needs_role=False,
    ),
    Link(
        name="Marks",
        url_name="marks",
        does="The values contracts settle on: prepare them, approve them, decide where one is disputed.",
        roles=frozenset({*OPERATORS, Role.AUDITOR}),
    ),
    Link(
        name="Account",
        url_name="account",
        does="Your address and password, second factor, and where you are signed in.",
        needs_role=False,
    ),
    Link(
        name="Organisation",
        url_name="organisation",
        does="What the venue has of your company: its contact, and with whom it deals.",
        roles=frozenset(PARTICIPANTS),
    ),
    Link(
        name="Keys",
        url_name="api_keys",
        does="Keys with which your programs use the API.",
        roles=frozenset(PARTICIPANTS),
    ),
    Link(
        name="Changes",
        url_name="admin_changes",
        does="What another admin has proposed, and what was decided.",
        roles=frozenset({Role.ADMIN}),
    ),
    Link(
        name="People",
        url_name="admin_people",
        does="Logins, whose they are, and their roles.",
        roles=frozenset({Role.ADMIN}),
    ),
    Link(
        name="Organisations",
        url_name="admin_organisations",
        does="Applications, and what participants are admitted as.",
        roles=frozenset({Role.ADMIN}),
    ),
    Link(
        name="Desk",
        url_name="desk",
        does="Requests to screen, runs, terms to send.",
        roles=frozenset({Role.DESK}),
    ),
    Link(
        name="Treasury",
        url_name="treasury",
        does="Contracts, margin, calls, payments and defaults.",
        roles=frozenset({Role.TREASURY}),
    ),
    Link(
        name="Audit",
        url_name="audit",
        does="All that happened, and every object, to read.",
        roles=frozenset({Role.AUDITOR}),
    ),
    Link(
        name="Account log",
        url_name="audit_accounts",
        does="What happened to logins, roles and organisations.",
        roles=frozenset({Role.ADMIN}),
    ),
    Link(
        name="Incidents",
        url_name="operators_notices",
        does="What went wrong, what participants complain of, and what was answered.",
        roles=frozenset({*OPERATORS, Role.AUDITOR}),
    ),
]


def beside(request: HttpRequest) -> dict[str, Any]:
    """Return what the templates of private pages are given; of public ones nothing: they are the same for everybody."""
    user = getattr(request, "user", None)
    if not is_private(request.path) or user is None:
        return {}
    return {
        "frame": "venue/base.html",
        "paper": venue_environment().paper,
        "mails_are_files": not venue_environment().mail,
        "signed_in_as": user.email if user.is_authenticated else "",
        "venue_links": shown_links(request),
    }


def shown_links(request: HttpRequest) -> list[dict[str, str]]:
    """Return the links that who is asking has business with; none for a stranger."""
    principal = principal_of(request)
    if principal is None:
        return []
    mine = [link for link in LINKS if not link.needs_role or not link.roles.isdisjoint(principal.roles)]
    return [_shown(link, reverse(link.url_name), request.path) for link in mine]


def _shown(link: Link, address: str, path: str) -> dict[str, str]:
    is_under = path.startswith(address) and address != reverse("venue_home")
    current = "page" if path == address else "true" if is_under else ""
    return {"name": link.name, "address": address, "does": link.does, "current": current}

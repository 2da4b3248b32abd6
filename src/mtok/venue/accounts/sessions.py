"""Sessions: when one begins and ends, where else one is signed in.

A session ends 30 minutes after its last request (15 for whoever acts for the venue) and 12 hours after signing in. All
of a login end when its password changes or it is disabled.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from allauth.account.decorators import reauthentication_required
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from mtok.calendar import SECOND
from mtok.venue import place
from mtok.venue.accounts.asking import principal_of, see_other, signed_in
from mtok.venue.accounts.models import Login
from mtok.venue.front import is_private

IDLE_MINUTES: Final = 30
IDLE_MINUTES_OF_VENUE: Final = 15
HOURS_MAX: Final = 12

BEGUN_AT: Final = "begun_at"
SEEN_AT: Final = "seen_at"

_MINUTE: Final = 60 * SECOND
_NOTED_EVERY: Final = 30 * SECOND
"""Of requests closer together only the first is written down."""

Respond = Callable[[HttpRequest], HttpResponse]


class Lifetimes:
    """Middleware: a session that is over is ended before anything else is done with it."""

    def __init__(self, get_response: Respond) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_private(request.path) and request.user.is_authenticated:
            why = _over(request)
            if why:
                logout(request)
                messages.info(request, why)
            elif place.now() - request.session[SEEN_AT] >= _NOTED_EVERY:
                request.session[SEEN_AT] = place.now()
        return self._get_response(request)


def _over(request: HttpRequest) -> str:
    """Return why a session is over, empty while it is not."""
    now, begun, seen = place.now(), request.session.get(BEGUN_AT), request.session.get(SEEN_AT)
    if begun is None or seen is None or now - begun >= HOURS_MAX * 60 * _MINUTE:
        return f"You were signed out: a session lasts {HOURS_MAX} hours at most."
    principal = principal_of(request)
    is_of_venue = principal is not None and principal.is_of_venue
    minutes = IDLE_MINUTES_OF_VENUE if is_of_venue else IDLE_MINUTES
    return (
        f"You were signed out after {minutes} minutes without a request."
        if now - seen >= minutes * _MINUTE
        else ""
    )


def on_signed_in(sender: Any, request: HttpRequest, user: Login, **_: Any) -> None:
    """Note when a session begins."""
    request.session[BEGUN_AT] = request.session[SEEN_AT] = place.now()


def on_authentication(sender: Any, request: HttpRequest, **said: Any) -> None:
    """Give the session of who has shown again who they are another id; it stays the same one in their list."""
    if said.get("reauthenticated"):
        before = request.session.session_key
        request.session.cycle_key()
        UserSession.objects.filter(session_key=before).update(session_key=request.session.session_key)


def on_password(sender: Any, user: Login, **_: Any) -> None:
    """End all sessions of a login whose password is another one."""
    end_sessions(user)


def on_saved(sender: Any, instance: Login, **_: Any) -> None:
    """End all sessions of a login that is disabled."""
    if not instance.is_active:
        end_sessions(instance)


def end_sessions(login: Login) -> None:
    """End every session of a login. What is in an answer already is not taken back."""
    for session in UserSession.objects.filter(user=login):
        session.end()


def clear_ended(now: int) -> int:
    """Delete what is kept of sessions that are over by an instant; return how many there were."""
    over = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now)
    count, _ = Session.objects.filter(expire_date__lt=over).delete()
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    return int(count)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required(allow_get=True)
def sessions(request: HttpRequest) -> HttpResponse:
    """Return where one is signed in; end one of these sessions, or all others."""
    mine = sorted(UserSession.objects.purge_and_list(request.user), key=lambda one: one.created_at)
    if request.method != "POST":
        content = {"title": "Where you are signed in", "sessions": mine}
        return render(request, "account/sessions.html", content)
    which = request.POST.get("session", "")
    for session in mine:
        if not session.is_current() and which in ("others", str(session.pk)):
            session.end()
    messages.success(request, "Signed out there.")
    return see_other(reverse("usersessions_list"))

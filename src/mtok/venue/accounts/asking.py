"""Who is asking for a page: the principal of a session, and what is asked of one before a view is given it.

A stranger is sent to sign in. Who lacks a role is told what a missing address is told. Who acts for the venue adds a
second factor before anything else; participants add one before they submit anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from urllib.parse import urlencode

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from mtok.errors import BadCall
from mtok.settlement.people import Role
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.accounts.models import Login
from mtok.venue.accounts.principals import Principal, rights_of
from mtok.venue.refusals import refused, unknown

STEPPED_UP: Final = "stepped_up"
"""In a session: whose second factor was shown in it, and when."""

_FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)

View = Callable[..., HttpResponse]


def principal_of(request: HttpRequest) -> Principal | None:
    """Return who is asking, None for a stranger. Looked up once a request and login: signing out within one counts."""
    kept: tuple[int | None, Principal | None] | None = getattr(request, "_principal", None)
    if kept is None or kept[0] != request.user.pk:
        kept = request._principal = (request.user.pk, _principal(request))
    return kept[1]


def _principal(request: HttpRequest) -> Principal | None:
    login = request.user
    if not login.is_authenticated or login.person_id is None:
        return None
    roles, party = rights_of(login)
    return Principal(
        login=login.pk,
        person=login.person_id,
        roles=roles,
        party=party,
        stepped_up_at=_stepped_up_at(request, login),
    )


def _stepped_up_at(request: HttpRequest, login: Login) -> int | None:
    """Return when a code or a passkey of this login was last shown in this session."""
    shown = request.session.get(STEPPED_UP, {})
    return shown.get("at") if shown.get("login") == login.pk else None


def on_authentication(sender: Any, request: HttpRequest, user: Login, method: str, **said: Any) -> None:
    """Keep in the session that a second factor was shown; a recovery code is none."""
    if method == "mfa" and said.get("type") in _FACTORS:
        request.session[STEPPED_UP] = {"login": user.pk, "at": place.now()}


def has_second_factor(login: int) -> bool:
    """Return whether a login has a code generator or a passkey."""
    return bool(Authenticator.objects.filter(user_id=login, type__in=_FACTORS).exists())


def signed_in(view: View) -> View:
    """Return a view for whoever is signed in; it finds who as `request.principal`."""

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        principal = principal_of(request)
        if principal is None:
            return _without_person(request) if request.user.is_authenticated else to_sign_in(request)
        if principal.is_of_venue and not has_second_factor(principal.login):
            return to_enrol(request)
        request.principal = principal
        return view(request, *args, **kwargs)

    return answer


def in_role(*roles: Role) -> Callable[[View], View]:
    """Return what makes a view one for these roles; to all others the address is as if it were missing."""

    def decorate(view: View) -> View:
        @signed_in
        @wraps(view)
        def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if request.principal.roles.isdisjoint(roles):
                return unknown(request)
            return view(request, *args, **kwargs)

        return answer

    return decorate


def second_factor(view: View) -> View:
    """Return a view for logins with a second factor, for below `signed_in` or `in_role`; others are sent to add one."""

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not has_second_factor(request.principal.login):
            return to_enrol(request)
        return view(request, *args, **kwargs)

    return answer


def stepped_up(view: View) -> View:
    """Return a view for who has just shown a second factor, as `second_factor`; others show it and come back.

    What was posted is not kept: the page is asked for again. So the page of a form needs it as much as what takes it.
    """

    @second_factor
    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not has_just_stepped_up(request.principal):
            return to_step_up(request, request.get_full_path())
        return view(request, *args, **kwargs)

    return answer


def has_just_stepped_up(principal: Principal) -> bool:
    """Return whether the second factor was shown as short a time ago as the core asks."""
    return principal.as_role(principal.any_role()).has_stepped_up(place.now(), specification())


def see_other(address: str) -> HttpResponse:
    """Return that the answer is at another address, to be asked for with GET."""
    response = HttpResponseRedirect(address)
    response.status_code = 303
    return response


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Return the way to sign in, and back."""
    return see_other(f"{reverse('account_login')}?{urlencode({'next': request.get_full_path()})}")


def to_enrol(request: HttpRequest) -> HttpResponse:
    """Return the way to add a second factor, and why."""
    messages.warning(request, "Add a second factor first: an app that shows codes, or a passkey.")
    return see_other(reverse("mfa_index"))


def to_step_up(request: HttpRequest, back: str) -> HttpResponse:
    """Return the way to show a second factor, and back to an address of this site."""
    return see_other(step_up_address(request.principal, back))


def step_up_address(principal: Principal, back: str) -> str:
    """Return where a second factor is shown, a code where there is an app, else a passkey; and back to an address."""
    has_app = Authenticator.objects.filter(user_id=principal.login, type=Authenticator.Type.TOTP).exists()
    name = "mfa_reauthenticate" if has_app else "mfa_reauthenticate_webauthn"
    return f"{reverse(name)}?{urlencode({'next': back})}"


def _without_person(request: HttpRequest) -> HttpResponse:
    error = BadCall(
        "person_unknown", "nobody has said yet whose login this is", "Ask whoever runs this venue."
    )
    return refused(request, error)

"""The addresses under /venue/ of admins, and of participants about themselves."""

from __future__ import annotations

from django.urls import path

from mtok.venue.accounts.admins import decisions, people
from mtok.venue.accounts.members import keys_page, own

urlpatterns = [
    path("people", people.people, name="admin_people"),
    path("people/<int:number>", people.login, name="admin_login"),
    path("people/<int:number>/<slug:kind>", people.login_change, name="admin_login_change"),
    path("organisations", people.organisations, name="admin_organisations"),
    path("organisations/<str:identity>", people.organisation, name="admin_organisation"),
    path(
        "organisations/<str:identity>/<slug:kind>",
        people.organisation_change,
        name="admin_organisation_change",
    ),
    path("changes", decisions.changes, name="admin_changes"),
    path("changes/<str:identity>", decisions.change, name="admin_change"),
    path("apply", own.application, name="application"),
    path("organisation", own.organisation, name="organisation"),
    path("organisation/lists", own.lists, name="organisation_lists"),
    path("organisation/contact", own.contact, name="organisation_contact"),
    path("keys", keys_page.keys, name="api_keys"),
]

"""The addresses of accounts."""

from __future__ import annotations

from django.urls import include, path

from mtok.venue.accounts.home import account

urlpatterns = [path("", account, name="account"), path("", include("allauth.urls"))]

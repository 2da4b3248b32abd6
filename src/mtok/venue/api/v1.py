"""The operations of /v1: to be written."""

from __future__ import annotations

from ninja import NinjaAPI

api = NinjaAPI(title="mtok", version="1", docs_url=None, openapi_url="/openapi.json", urls_namespace="v1")

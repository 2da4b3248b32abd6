"""What a server is told by its environment: variables MTOK_…, each with a safe default (docs/serving.md)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mtok.calendar import parse_instant
from mtok.errors import BadCall

_HOST: Final = re.compile(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")


class Environment(BaseSettings):
    """The variables, named as the fields in capitals after MTOK_.

    store : a store, or a copy of its folder publication/ · hosts : names this server answers to, by commas
    base_url : where readers find it, for links that leave the page · proxies : how many stand before it and say whom
    they ask for (X-Forwarded-For, X-Forwarded-Proto) · rate_limit : of /v1, an address; empty for none
    operator, contact : who runs it, shown on the page About · now : an instant at which the clock stands still
    """

    model_config = SettingsConfigDict(env_prefix="MTOK_", extra="ignore", frozen=True)

    store: Path
    hosts: str = "localhost,127.0.0.1,[::1]"
    base_url: str = Field(default="", pattern=r"^(https?://[^\s/]+)?$")
    proxies: int = Field(default=0, ge=0, le=9)
    rate_limit: str = Field(default="600/minute", pattern=r"^([1-9][0-9]{0,8}/(second|minute|hour))?$")
    operator: str = Field(default="", max_length=200)
    contact: str = Field(default="", max_length=200)
    now: str | None = None

    @field_validator("hosts")
    @classmethod
    def _names(cls, text: str) -> str:
        for name in text.split(","):
            if not _HOST.fullmatch(name.strip()):
                raise ValueError(f"{name.strip()!r} is no host name; separate names by commas")
        return text

    @field_validator("now")
    @classmethod
    def _instant(cls, text: str | None) -> str | None:
        if text:
            parse_instant(text)
        return text or None


@cache
def environment() -> Environment:
    """Return what the environment says, read once. Raises BadCall naming the variable that cannot be taken."""
    try:
        return Environment()  # type: ignore[call-arg]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = f"MTOK_{'_'.join(map(str, first['loc'])).upper()}"
        raise BadCall(
            "setting_invalid",
            f"{name}: {first['msg'].removeprefix('Value error, ')}",
            "docs/serving.md lists the variables and their forms.",
        ) from None

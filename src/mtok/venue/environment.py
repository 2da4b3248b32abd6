"""What a server is told by its environment: variables MTOK_…, each with a safe default (docs/serving.md)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mtok.calendar import parse_instant
from mtok.errors import BadCall

_Settings = TypeVar("_Settings", bound=BaseSettings)
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


class VenueEnvironment(BaseSettings):
    """What the venue is told beyond that: MTOK_VENUE_…, and DATABASE_URL.

    folder : of its keys and, without another database, of its database; `venue` in the store unless said
    mail : smtp://[user:password@]host[:port], or smtps://; empty: mails wait · mail_from : their sender
    paper : whether contracts are paper ones, said on every page
    """

    model_config = SettingsConfigDict(env_prefix="MTOK_VENUE_", extra="ignore", frozen=True)

    folder: Path | None = None
    database_url: str = Field(default="", validation_alias="DATABASE_URL")
    mail: str = Field(default="", pattern=r"^(smtps?://[^\s/]+)?$")
    mail_from: str = Field(default="mtok@localhost", max_length=200)
    paper: bool = True

    def place(self) -> Path:
        """Return the venue's folder."""
        return self.folder or environment().store / "venue"


@cache
def environment() -> Environment:
    """Return what the environment says, read once. Raises BadCall naming the variable that cannot be taken."""
    return _read(Environment, "MTOK_")


@cache
def venue_environment() -> VenueEnvironment:
    """Return what the environment says of the venue, read once. Raises BadCall as `environment`."""
    return _read(VenueEnvironment, "MTOK_VENUE_")


def _read(kind: type[_Settings], prefix: str) -> _Settings:
    try:
        return kind()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "_".join(map(str, first["loc"])).upper()
        raise BadCall(
            "setting_invalid",
            f"{name if name == 'DATABASE_URL' else prefix + name}: {first['msg'].removeprefix('Value error, ')}",
            "docs/serving.md lists the variables and their forms.",
        ) from None

"""The rights of the PostgreSQL role that the venue runs as: what its commands need of each table, and nothing beyond.

History takes new rows and nothing else, by these rights and again by triggers; the role owns nothing, so it can drop
no trigger, alter no table and make none that would be looked into in the place of another. A table that stands in no
list here gets no right at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mtok.errors import BadCall
from mtok.venue.database.triggers import INSERT_ONLY, INSERT_ONLY_OF_ACCOUNTS, STEPWISE

_ROLE: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")

_READ: Final = ("transition", "django_migrations", "django_content_type")
"""What migrations alone write."""
_NEVER_USED: Final = ("auth_permission", "auth_group", "auth_group_permissions")
"""Tables of Django's that come with what the venue uses; roles are its own."""
_GROWING: Final = (*INSERT_ONLY, *INSERT_ONLY_OF_ACCOUNTS, "accounts_person", "accounts_ownergroup")
_CHANGING: Final = (
    *STEPWISE,
    "intention",
    "message",
    "accounts_login",
    "accounts_organisation",
    "accounts_apikey",
    "accounts_sealedcontact",
)
_COMING_AND_GOING: Final = (
    "accounts_grant",
    "account_emailaddress",
    "account_emailconfirmation",
    "mfa_authenticator",
    "usersessions_usersession",
    "django_session",
)

RIGHTS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(_NEVER_USED, ()),
    **dict.fromkeys(_READ, ("SELECT",)),
    **dict.fromkeys(_GROWING, ("SELECT", "INSERT")),
    **dict.fromkeys(_CHANGING, ("SELECT", "INSERT", "UPDATE")),
    **dict.fromkeys(_COMING_AND_GOING, ("SELECT", "INSERT", "UPDATE", "DELETE")),
}
"""The rights that the role has to each table."""

_BEGIN: Final = """\
BEGIN;
DO $do$ BEGIN
  IF EXISTS (
    SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND pg_has_role('{role}', relowner, 'MEMBER')
  ) THEN
    RAISE EXCEPTION 'role {role} owns tables of the venue, or may act as who does: make one that does not';
  END IF;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC, "{role}"', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO "{role}"', current_database());
END $do$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC, "{role}";
GRANT USAGE ON SCHEMA public TO "{role}";
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, "{role}";
"""


def grants(role: str) -> str:
    """Return the SQL that gives a role these rights and takes all others; again, it changes nothing.

    Whoever owns the database runs it with psql after every migration. Raises BadCall (`role_invalid`) for a name that
    would have to be quoted.
    """
    if not _ROLE.fullmatch(role):
        raise BadCall(
            "role_invalid",
            f"{role!r} is no name of a role as the venue takes them",
            "Use small letters, digits and _, 63 at most: CREATE ROLE mtok_venue LOGIN.",
        )
    by_rights: dict[tuple[str, ...], list[str]] = {}
    for table, rights in RIGHTS.items():
        by_rights.setdefault(rights, []).append(table)
    given = [
        f'GRANT {", ".join(rights)} ON {", ".join(tables)} TO "{role}";\n'
        for rights, tables in by_rights.items()
        if rights
    ]
    return "".join([_BEGIN.format(role=role), *given, "COMMIT;\n"])

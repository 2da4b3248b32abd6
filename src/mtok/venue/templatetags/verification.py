"""What the verification in the browser needs beside the published files: the log's changes of key."""

from __future__ import annotations

import json
from typing import Final

from django import template

from mtok.venue.place import opened

register = template.Library()

_FIELDS: Final = ("old_key", "new_key", "old_signature", "new_signature")


@register.simple_tag
def rotations() -> str:
    """Return the key rotations of the log as JSON. Each carries the signatures of both keys: nobody need believe it."""
    notices = [entry for entry in opened().published.entries if entry.get("kind") == "key_rotation"]
    return json.dumps([{name: notice[name] for name in _FIELDS} for notice in notices])

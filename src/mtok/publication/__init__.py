"""What is published of the determinations: their vintages, the transparency log that says what was said when, and
the files a stranger needs to compute every value again.
"""

from mtok.publication.keys import has_key
from mtok.publication.operators import create_key, give_notice, restate, rotate_key
from mtok.publication.press import Outside, nowhere
from mtok.publication.publish import Publication, publish

__all__ = [
    "Outside",
    "Publication",
    "create_key",
    "give_notice",
    "has_key",
    "nowhere",
    "publish",
    "restate",
    "rotate_key",
]

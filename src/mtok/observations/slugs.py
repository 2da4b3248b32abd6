"""Names of models: OpenRouter slugs and what they split into (R-2, R-3).

Capital letters are admitted: `perplexity/pplx-embed-v1-0.6B` was among the fifty named rows of 2026-06-22, and
a grammar without them would have called that capture short.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

STANDARD: Final = "standard"
SLUG_GRAMMAR: Final = "slug_grammar"

_SLUG: Final = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]{0,79})/([A-Za-z0-9][A-Za-z0-9._-]{0,119})(?::([A-Za-z0-9][A-Za-z0-9._-]{0,39}))?"
)
_LOOK_ALIKES: Final = str.maketrans("аеорсухіјѕԁɡοαν", "aeopcyxijsdgoav")


class Slug(NamedTuple):
    """`author/name` and the variant, `standard` when none is written."""

    slug: str
    author: str
    name: str
    variant: str


@lru_cache(maxsize=65_536)
def split_slug(text: str) -> Slug | None:
    """Return the parts of `author/name[:variant]`, None when the text is outside the grammar.

    >>> split_slug("qwen/qwen3-max:free")
    Slug(slug='qwen/qwen3-max', author='qwen', name='qwen3-max', variant='free')
    >>> split_slug("qwen/qwen3-max:free:x") is None
    True
    """
    match = _SLUG.fullmatch(text)
    if not match:
        return None
    author, name, variant = match.groups()
    return Slug(f"{author}/{name}", author, name, variant or STANDARD)


@lru_cache(maxsize=65_536)
def skeleton(text: str) -> str:
    """Return `text` with case and look-alike letters folded: equal skeletons are easily confused.

    >>> skeleton("ОpenAI/gpt") == skeleton("openai/gpt")
    True
    """
    return unicodedata.normalize("NFKC", text).casefold().translate(_LOOK_ALIKES)

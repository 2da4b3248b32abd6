"""The words of a mail: subject, text and HTML of what is told, from the templates in `templates/venue/mail`.

A template's first line is the subject, which holds fixed words alone; the rest is paragraphs. What comes from people is
one line wherever it stands, so that a name can be no header, no paragraph and no mark-up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.template import Context, Engine

from mtok.market.book import CONTRACT, PROPOSAL, REQUEST
from mtok.settlement.people import Role
from mtok.venue.database.records import MARK
from mtok.venue.environment import environment, venue_environment
from mtok.venue.mail.telling import Told

TEMPLATES: Final = Path(__file__).parents[1] / "templates" / "venue" / "mail"

_PAGES: Final = {
    REQUEST: "/venue/requests/{}",
    PROPOSAL: "/venue/terms/{}",
    CONTRACT: "/venue/contracts/{}",
    MARK: "/venue/contracts",
}
"""What a participant is led to, by kind of object."""
_DESKS: Final = {
    Role.DESK: "/venue/desk/",
    Role.TREASURY: "/venue/treasury/",
    Role.MARK_PREPARER: "/venue/marks",
    Role.MARK_APPROVER: "/venue/marks",
}
"""What an operator is led to: the list of what waits for the role."""
_NOT_ONE_LINE: Final = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+"
)
"""Whatever breaks a line or turns its direction."""
_SUBJECT_CHARS_MAX: Final = 160


@dataclass(frozen=True, kw_only=True)
class Written:
    """A mail as it is read. said : its first paragraph, which notifications show · link : absolute"""

    subject: str
    said: str
    text: str
    html: str
    link: str


def written(told: Told) -> Written:
    """Return the words of what is told."""
    words = {name: one_line(value) for name, value in told.words.items()}
    rendered = _templates().get_template(f"{told.name}.txt").render(Context(words, autoescape=False))
    subject, *paragraphs = [one_line(part) for part in re.split(r"\n\s*\n", rendered) if part.strip()]
    return composed(subject, paragraphs, site() + page_of(told))


def composed(subject: str, paragraphs: list[str], link: str) -> Written:
    """Return a mail of paragraphs, with what every mail of the venue says."""
    assert one_line(subject) == subject, "a subject is one line"
    assert len(subject) <= _SUBJECT_CHARS_MAX
    said = {"subject": subject, "paragraphs": paragraphs, "link": link, "paper": venue_environment().paper}
    return Written(
        subject=subject,
        said=paragraphs[0],
        text=_templates().get_template("frame.txt").render(Context(said, autoescape=False)),
        html=_templates().get_template("frame.html").render(Context(said)),
        link=link,
    )


def page_of(told: Told) -> str:
    """Return the page that a mail leads to."""
    if told.role is not None:
        return _DESKS[told.role]
    return _PAGES[told.kind].format(told.object)


def site() -> str:
    """Return the address of this venue, for links that leave it: MTOK_BASE_URL, or the first of its hosts."""
    said = environment()
    return said.base_url or f"https://{said.hosts.split(',')[0].strip()}"


def one_line(text: str) -> str:
    """Return a text without anything that breaks a line or turns its direction.

    >>> one_line("Alder\\r\\nBcc: all@example.com")
    'Alder Bcc: all@example.com'
    """
    return _NOT_ONE_LINE.sub(" ", text).strip()


@cache
def _templates() -> Engine:
    return Engine(dirs=[str(TEMPLATES)])

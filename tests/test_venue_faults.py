"""Bad input and faults that no other test of the venue has: texts in forms of accounts, the clock, the publication.

The table in docs/venue.md says which test shows what; each test it names exists, by `tests/test_docs.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import participating
from marked import SERIES, MarkedVenue, marked_venue
from mtok.errors import MtokError
from operated import client
from participating import ASKED, FIRM, MINUTE, RUN
from peopled import acting, admitted, changes, founded, login_of, models, named, signed_up
from test_account_pages import Browser

HOSTILE = "<script>alert(1)</script>{{7*7}}\"'&"
TEMPLATES = Path(__file__).parents[1] / "src" / "mtok" / "venue" / "templates"
DATES = ("2026-02-26", "2026-02-27")


def code_of(command: Callable[[], object]) -> str:
    """Return the code that a command is refused with."""
    with pytest.raises(MtokError) as refused:
        command()
    return refused.value.code


# ---- texts


def test_what_is_typed_into_forms_of_accounts_is_text_on_every_page(tmp_path: Path) -> None:
    """Names of companies and keys, contacts, lists, reasons: shown as they were typed, and never as markup."""
    with founded(tmp_path):
        signed_up("ray@example.org")
        eve = Browser("eve@example.org")
        Browser("ray@example.org").post(
            "/venue/apply", legal_name=f"Third {HOSTILE}", lei="5493001KJTIIGC8Y1R12", contact=HOSTILE
        )
        company = models.Organisation.objects.get()
        login = named("sam@example.org", "Sam")
        disable = eve.post(f"/venue/people/{login.id}/disable", **{"disable-reason": HOSTILE})
        refuse = eve.post(f"/venue/organisations/{company.id}/refuse", **{"refuse-reason": HOSTILE})
        admitted("pat@example.org", "Pat, +1 555 0100")
        pat = Browser("pat@example.org")
        pat.post("/venue/organisation/lists", allowed="", blocked=HOSTILE)
        pat.post("/venue/organisation/contact", contact=HOSTILE)
        pat.post("/venue/keys", name=HOSTILE, scopes=["read"], days="30")
        pages = {
            "company": eve.get(f"/venue/organisations/{company.id}"),
            "disable": eve.get(disable["Location"]),
            "refuse": eve.get(refuse["Location"]),
            "lists": pat.get("/venue/organisation"),
            "contact": pat.get("/venue/organisation/contact"),
            "keys": pat.get("/venue/keys"),
        }
    for name, page in pages.items():
        text = page.content.decode()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in text, name
        assert "<script>alert" not in text, name


def test_no_template_takes_a_text_for_markup() -> None:
    """Everything in a page is escaped unless a template says otherwise, and none does."""
    pages = {
        path.relative_to(TEMPLATES).as_posix(): path.read_text("utf-8") for path in TEMPLATES.rglob("*.html")
    }
    assert len(pages) > 60
    assert not [
        name for name, text in pages.items() if re.search(r"\|\s*safe(seq)?\b|autoescape\s+off", text)
    ]


# ---- the clock


def test_a_clock_that_goes_back_before_a_run_changes_nothing_until_it_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with participating.trading_venue(tmp_path, monkeypatch) as clock:
        from mtok.venue.database.models import Event
        from mtok.venue.otc import clockwork
        from mtok.venue.participants import actions

        who = participating.everybody()
        asked = actions.submit(who.buyer, ASKED | FIRM)
        participating.accepted(who, asked)
        clock.instant = RUN + MINUTE
        clockwork.make_runs(clock())
        before = Event.objects.count()
        clock.instant = RUN - 40 * MINUTE
        assert code_of(lambda: actions.pause(who.buyer, asked)) == "clock_behind"
        steps = {one.name: one for one in clockwork.tick(clock())}
        assert steps["runs"].refused[0].startswith("clock_behind: it is 2026-06-22T14:20:00Z here")
        assert Event.objects.count() == before
        clock.instant = RUN + 2 * MINUTE
        actions.pause(who.buyer, asked)
        assert clockwork.make_runs(clock()) == []


def test_a_clock_that_goes_back_makes_no_second_factor_newer(tmp_path: Path) -> None:
    """A factor shown at an instant that has not come is none that was just shown."""
    with founded(tmp_path) as clock:
        eve = acting("eve@example.org")
        what: dict[str, Any] = {"login": named("sam@example.org", "Sam"), "details": {"reason": "left"}}
        proposed = changes.propose(acting("fay@example.org"), "disable", **what)
        clock.instant -= MINUTE
        assert code_of(lambda: changes.decide(eve, proposed.id, is_approved=True)) == "step_up"
        assert login_of("sam@example.org").is_active


# ---- the publication


def damaged(venue: MarkedVenue) -> tuple[Path, bytes]:
    """Change a byte of the log's root; return the file and what was in it."""
    path = venue.desk.folder / "log" / "checkpoint"
    sound = path.read_bytes()
    name, size, root, rest = sound.split(b"\n", 3)
    path.write_bytes(b"\n".join((name, size, b"A" * (len(root) - 1) + b"=", rest)))
    return path, sound


def test_while_the_publication_cannot_be_read_nothing_rests_on_it_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    prices = dict(zip(DATES, ("12.3", "12.4"), strict=True))
    with marked_venue(tmp_path / "venue", prices, "2026-02-26 12:00:00") as venue:
        from mtok.venue.database.references import references
        from mtok.venue.otc import clockwork
        from mtok.venue.participants import actions

        for date in DATES:
            venue.print(date)
        venue.approved(DATES[0])
        assert list(references([SERIES], venue.clock())) == [SERIES]
        path, sound = damaged(venue)
        assert references([SERIES], venue.clock()) == {}
        assert code_of(lambda: venue.prepared(DATES[1])) == "publication_damaged"
        asked = ASKED | {"month": "2026-04"}
        assert code_of(lambda: actions.submit(venue.who("buyer"), asked)) == "reference_not_offered"
        assert client(venue.who("buyer")).get("/venue/requests").status_code == 200
        venue.go("2026-02-28 15:01:00")
        steps = {one.name: one for one in clockwork.tick(venue.clock(), lambda _: venue.desk.head)}
        assert [one.name for one in steps.values() if one.refused] == ["marks"]
        assert steps["marks"].refused[0].startswith("publication_damaged")
        assert steps["runs"].count == 1
        path.write_bytes(sound)
        venue.tick()
        assert len(venue.logged(DATES[0])) == 1

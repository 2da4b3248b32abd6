"""A contract from the first admin to the last cent, in browsers on PostgreSQL: everybody before one of their own.

Two participants agree on February 2026 and settle it on marks that were printed, prepared, approved and published day
by day; a third one, whose company is admitted as theirs are, tries whatever they open. The amount is computed again
here, with plain fractions, from the prices the publication was made of.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser

import people
import signing_in
import venues
from attending import Person, apart
from browsing import chromium
from databases import postgresql_cluster
from marked import METHODOLOGY, SERIES, market, published_digest
from mtok.calendar import format_date, parse_date, parse_instant
from mtok.market.references import Reference
from peopled import acting, founding
from presses import Desk
from signing_in import Post

pytestmark = pytest.mark.machine

venues.configured()

from django.core.cache import cache  # noqa: E402 - Django takes its settings first

BOOKED: Final = parse_date("2026-01-26")
FIRST, LAST = parse_date("2026-02-01"), parse_date("2026-02-28")
BY_PAGES: Final = (parse_date("2026-02-02"), parse_date("2026-02-10"))
LOOKED_AT: Final = parse_date("2026-02-12")
DISPUTED: Final = parse_date("2026-02-16")

LIMIT, LOTS = "12.3456", 25
QUANTITY: Final = LOTS * 100
"""Million tokens: a lot is 100 of them (docs/market.md)."""
PRICES: Final = {
    format_date(day): f"12.{100_000 + day * 37 % 50 * 10_000 + day * 7919 % 10_000:06}"
    for day in range(BOOKED, LAST + 1)
}
"""Of each day, USD per million tokens: from 12.10 to 12.60, up and down, with all six decimals."""

COMPANIES: Final = {
    "buyer": ("Alder Compute Limited", people.LEIS[0]),
    "seller": ("Birch Inference AG", people.LEIS[1]),
    "stranger": ("Cedar Tokens SA", people.LEIS[2]),
}
PEOPLE: Final = {
    "eve": "Eve Ember",
    "fay": "Fay Fjord",
    "buyer": "Bruno Bark",
    "seller": "Selma Sand",
    "stranger": "Stan Stone",
    "desk": "Dora Dune",
    "preparer": "Pia Pebble",
    "approver": "Axel Ash",
    "treasury": "Tara Tide",
}
ADMINS: Final = ("eve", "fay")
OPERATORS: Final = {
    "desk": "desk",
    "preparer": "mark_preparer",
    "approver": "mark_approver",
    "treasury": "treasury",
}
PARTICIPANTS: Final = ("participant_user", "participant_approver")

TO_EACH_SIDE: Final = Counter(
    {
        "Your request is in the book": 1,
        "Terms wait for your approval": 1,
        "A contract is booked": 1,
        "Your contract is active": 1,
        "A mark of your contract is disputed": 1,
        "A disputed mark stands": 1,
        "Your settlement statement is ready": 1,
        "Your contract is settled": 1,
        "Your contract is closed": 1,
    }
)
"""The mails of the market to each side: one an event."""
ABSENT: Final = "0" * 22
"""An id of nothing."""


def address_of(name: str) -> str:
    """Return somebody's address."""
    return f"{name}@{name}.example.org"


@dataclass
class Story:
    """A venue that is served, its publication, its clock and its people. contract : its id · digest : of its terms

    did : what was done, for whoever has to find out why it failed
    """

    browser: Browser
    site: str
    desk: Desk
    clock: venues.Clock
    post: Post
    people: dict[str, Person] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)
    contract: str = ""
    digest: str = ""

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    def come(self, name: str) -> Person:
        """Let somebody open a browser."""
        made = Person.come(self.browser, self.site, self.clock, PEOPLE[name], address_of(name))
        self.people[name] = made
        return made

    def go(self, when: str) -> None:
        """Let it be `2026-03-01 15:00:00`, and let the venue do what is due."""
        self.clock.instant = max(self.clock.instant, self.desk.at(when))
        self.tick()
        self.did.append(f"{when}: {len(self.post.letters)} mails, {self.desk.published.size} entries")

    def tick(self) -> None:
        """Let the venue do what is due; nothing may be refused."""
        from mtok.venue.otc import clockwork

        steps = apart(lambda: clockwork.tick(self.clock(), lambda _: self.desk.head))
        assert [one.refused for one in steps if one.refused] == []

    def print(self, day: int) -> None:
        """Publish the final print of a day, at its hour."""
        when = f"{format_date(day + 1)} 14:00:00"
        self.clock.instant = self.desk.at(when)
        self.desk.publish(when)

    def mails_to(self, name: str) -> list[str]:
        """Return the subjects of the mails that somebody got, in order."""
        return [str(mail["Subject"]) for to, mail in self.post.letters if to == [address_of(name)]]


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """The browser starts last and ends first: while it runs, Django takes this thread for an asynchronous one."""
    cache.clear()
    with (
        postgresql_cluster() as cluster,
        venues.postgresql(cluster),
        venues.clock(parse_instant("2026-01-23T09:00:00Z")) as clock,
        signing_in.post_office() as post,
    ):
        desk = publishing(tmp_path, monkeypatch)
        from mtok.venue.otc import clockwork

        clockwork.begin(clock())
        with venues.serving() as site, chromium() as browser:
            yield Story(browser, site, desk, clock, post)


def publishing(path: Path, patch: pytest.MonkeyPatch) -> Desk:
    """Return a desk that has published nothing; its reference counts as one that has printed for sixty days.

    The mark that is the last one stands in until there is one of its own.
    """
    from mtok.publication.published import Published
    from mtok.venue import place
    from mtok.venue.database import references
    from mtok.venue.opened import Opening
    from mtok.venue.otc import clockwork, marking, trading

    def known(names: Any, _: int) -> dict[str, Reference]:
        last = references.last_mark(SERIES, METHODOLOGY) or 12_345_600
        one = Reference(
            reference=SERIES,
            methodology=METHODOLOGY,
            printed=60,
            mark=last,
            moves=tuple(range(10_000, 900_000, 10_000)),
        )
        return {name: one for name in names if name == SERIES}

    desk = Desk(path, market(PRICES))
    opening = Opening(desk.store.path)
    patch.setattr("os.fsync", lambda _: None)
    patch.setattr(place, "opening", lambda: opening)
    patch.setattr(trading, "references", known)
    patch.setattr(references, "series", lambda: [SERIES])
    patch.setattr(clockwork, "first_root", lambda *_: "ab" * 32)
    patch.setattr(marking, "recomputed", lambda _, index: published_digest(Published(desk.folder), index))
    return desk


@contextmanager
def telling(story: Story) -> Iterator[None]:
    """Say how far the story came, where it fails."""
    try:
        yield
    finally:
        print("\n".join(story.did[-5:]))


def test_from_the_first_admin_to_the_last_cent(story: Story) -> None:
    with telling(story):
        founded(story)
        signed_up(story)
        roles_given(story)
        mails_before = {name: len(story.mails_to(name)) for name in ("buyer", "seller", "stranger")}
        requested(story)
        matched(story)
        booked(story)
        activated(story)
        month_replayed(story)
        settled(story)
        documents_are_right(story)
        stranger_learns_nothing(story)
        mails_are_right(story, mails_before)
        assert story.desk.findings() == []
        assert {name: one.visit.complaints for name, one in story.people.items()} == {
            name: [] for name in PEOPLE
        }


# ---- who they are


def founded(story: Story) -> None:
    """Two admins come in by the links that founding gives."""
    named = [(PEOPLE[name], address_of(name)) for name in ADMINS]

    def found() -> list[str]:
        founding.found(named)
        return [founding.entrance(login) for login in founding.not_yet_in()]

    for name, entrance in zip(ADMINS, apart(found), strict=True):
        story.come(name).enter(entrance)
    story["eve"].go("/venue/")
    story["eve"].look("01-admin")
    story.did.append("two admins are in")


def signed_up(story: Story) -> None:
    """Everybody else signs up; three of them apply for their companies."""
    for name in PEOPLE:
        if name in ADMINS:
            continue
        person = story.come(name)
        person.sign_up(story.post)
        if name in COMPANIES:
            legal_name, lei = COMPANIES[name]
            person.go("/venue/apply")
            person.put(legal_name=legal_name, lei=lei, contact=f"{PEOPLE[name]}, +44 20 7946 0000")
            person.look(f"02-apply-{name}")
            person.press("Apply")
            assert "two people of the venue look at it" in person.text()
    story.did.append("everybody has signed up")


def roles_given(story: Story) -> None:
    """One admin proposes, the other one approves: whose the logins are, then roles and companies, then their roles."""
    eve = story["eve"]
    eve.arrive()
    logins = numbers(eve)
    for name in logins:
        proposed(eve, f"/venue/people/{logins[name]}", "Name its person")
    approved(story, len(logins))

    eve.arrive()
    eve.go("/venue/organisations")
    eve.look("03-organisations")
    companies = {
        legal_name: f"/venue/organisations/{identity}"
        for identity, legal_name in re.findall(
            r'href="/venue/organisations/([^"]+)">([^<]+)</a>', eve.seen[-1]
        )
    }
    assert set(companies) == {legal_name for legal_name, _ in COMPANIES.values()}
    for name, role in OPERATORS.items():
        proposed(eve, f"/venue/people/{logins[name]}", "Grant a role", **{"grant-role": role})
    for legal_name, path in companies.items():
        said = {"credit_class": "A", "accepts": "A", "known_until": "2027-01-31", "group_name": legal_name}
        proposed(eve, path, "Admit or renew", **{f"admit-{key}": value for key, value in said.items()})
    approved(story, len(OPERATORS) + len(companies))

    for role in PARTICIPANTS:  # one at a time: what changes a login makes other proposals about it stale
        eve.arrive()
        for name, (legal_name, _) in COMPANIES.items():
            company = companies[legal_name].rpartition("/")[2]
            given = {"grant-role": role, "grant-for_organisation": company}
            proposed(eve, f"/venue/people/{logins[name]}", "Grant a role", **given)
        approved(story, len(COMPANIES))
    eve.go("/venue/people")
    eve.look("04-people")
    story.did.append("everybody has a role")


def numbers(admin: Person) -> dict[str, str]:
    """Return the numbers of the logins that are no admin's, as they stand on the page of people."""
    admin.go("/venue/people")
    found = {
        login: number
        for number, login in re.findall(r'href="/venue/people/(\d+)">([^<]+)</a>', admin.seen[-1])
    }
    assert set(found) == {address_of(name) for name in PEOPLE}
    return {name: found[address_of(name)] for name in PEOPLE if name not in ADMINS}


def proposed(admin: Person, path: str, what: str, **fields: str) -> None:
    """Propose a change of a login or a company on its page."""
    admin.go(path)
    admin.unfold(what)
    admin.press(f"Propose: {what.lower()}", **fields)
    assert "It takes effect when another admin approves it" in admin.text()


def approved(story: Story, count: int) -> None:
    """Let the other admin approve all that waits."""
    fay = story["fay"]
    fay.arrive()
    fay.go("/venue/changes")
    waiting = fay.seen[-1].partition("<h2>Decided")[0]
    paths = list(dict.fromkeys(re.findall(r'href="(/venue/changes/[^"]+)"', waiting)))
    assert len(paths) == count
    for path in paths:
        fay.go(path)
        if fay.title() == "Your second factor once more":
            fay.press("Go on", code=fay.code())
        if path == paths[0]:
            fay.look(f"03-change-{count}")
        fay.press("Approve")
        assert "it is so from now on" in fay.text()
    fay.go("/venue/changes")
    assert "Nothing waits." in fay.text()


# ---- from requests to a contract


def requested(story: Story) -> None:
    """Both sides submit, the desk accepts."""
    story.go("2026-01-26 09:00:00")
    for name, side in (("buyer", "buy"), ("seller", "sell")):
        person = story[name]
        person.arrive()
        person.go("/venue/requests/new")
        asked = {"reference": SERIES, "side": side, "lots": str(LOTS), "month": "2026-02", "limit": LIMIT}
        person.put(**asked, firm_until=format_date(BOOKED))
        person.look(f"05-request-{name}")
        person.press("See what it means")
        assert "What nobody learns" in person.text()
        person.look(f"06-preview-{name}")
        person.press("Send it to the desk")
        person.look(f"07-sent-{name}")
    desk = story["desk"]
    desk.arrive()
    for left in (2, 1):
        desk.go("/venue/desk/")
        paths = sorted(set(re.findall(r'href="(/venue/desk/requests/[^"]+)"', desk.seen[-1])))
        assert len(paths) == left
        desk.look(f"08-desk-{left}")
        desk.go(paths[0])
        desk.look(f"08-desk-request-{left}")
        desk.press("Accept")
        assert "it is live" in desk.text()


def matched(story: Story) -> None:
    """The run finds the pair, and the desk sends its terms."""
    story.go("2026-01-26 15:00:01")
    for name in ("buyer", "seller"):
        story[name].arrive()
        story[name].go("/venue/terms")
        assert "Nothing waits for your answer" in story[name].text()
    desk = story["desk"]
    desk.arrive()
    desk.go("/venue/desk/")
    desk.look("09-candidates")
    [path] = set(re.findall(r'href="(/venue/desk/proposals/[^"]+)"', desk.seen[-1]))
    desk.go(path)
    desk.look("09-candidate")
    desk.press("Send the terms")
    story.contract = path.rpartition("/")[2]
    story.go("2026-01-26 16:00:00")


def booked(story: Story) -> None:
    """Both approve the same digest, each with the second factor just shown; neither knew of whom."""
    buyer, seller = story["buyer"], story["seller"]
    for person in (buyer, seller):
        person.arrive()
        person.go("/venue/terms")
        person.follow(SERIES)
        person.look(f"10-terms-{person.address[:5]}")
        raw = person.download(f"/venue/terms/{story.contract}.json")
        person.step_up(f"/venue/terms/{story.contract}/approve")
        shown = person.visit.page.locator("input[name=digest]").input_value()
        assert shown == sha256(raw).hexdigest()
        assert story.digest in ("", shown)
        story.digest = shown
        person.look(f"10-approve-{person.address[:5]}")
        assert_knows_nobody(story)
        person.press("Approve for my organisation")
    for name, other in (("buyer", "seller"), ("seller", "buyer")):
        story[name].go(f"/venue/contracts/{story.contract}")
        assert COMPANIES[other][0] in story[name].text()
        story[name].look(f"11-booked-{name}")
    story.did.append("booked")


def assert_knows_nobody(story: Story) -> None:
    """See that nothing on a page or in a mail has said to a side, or to desk and treasury, whose the other side is."""
    for name, others in (
        ("buyer", ("seller",)),
        ("seller", ("buyer",)),
        ("desk", ("buyer", "seller")),
        ("treasury", ("buyer", "seller")),
    ):
        read = [
            *story[name].seen,
            *(mail.as_string() for to, mail in story.post.letters if to == [address_of(name)]),
        ]
        for secret in (one for other in others for one in secrets_of(other)):
            assert not [page for page in read if secret in page], f"{name} has read {secret}"


def secrets_of(name: str) -> tuple[str, ...]:
    """Return what says who a participant is."""
    return (*COMPANIES[name], PEOPLE[name], address_of(name))


def activated(story: Story) -> None:
    """The treasury says that the initial margin of both has come."""
    till = story["treasury"]
    till.arrive()
    till.go("/venue/treasury/")
    till.look("12-treasury")
    till.follow(story.contract)
    till.follow("Initial margin has arrived")
    found = re.search(r"Initial margin of each side: ([\d,.]+) USD", till.text())
    assert found is not None
    till.press("Look at what will happen", buyer=found[1], seller=found[1])
    till.look("12-activate")
    till.press("Do it")
    till.look("12-active")
    assert "active" in till.text()


# ---- the month


def month_replayed(story: Story) -> None:
    """Every day is printed; its mark is prepared, approved and published, and margin is taken."""
    for day in range(BOOKED, LAST + 1):
        story.print(day)
        if day in BY_PAGES:
            marked_by_pages(story, day)
        else:
            marked(story, day)
        after = format_date(day + 1)
        story.go(f"{after} 14:30:00")
        if day == DISPUTED:
            disputed(story)
        story.go(f"{after} 19:00:00")
        if day == LOOKED_AT:
            margin_is_right(story, day)
        if day == DISPUTED:
            upheld(story)


def marked(story: Story, day: int) -> None:
    """Let preparer and approver make a mark, by the functions that their pages call."""
    from mtok.venue.otc import marking

    def work() -> None:
        made = marking.prepare(acting(address_of("preparer")), SERIES, METHODOLOGY, day)
        assert made.mark.state == "proposed"
        marking.approve(acting(address_of("approver")), made.id, made.mark.digest)

    apart(work)


def marked_by_pages(story: Story, day: int) -> None:
    """Let preparer and approver make a mark on their pages."""
    path = f"/venue/marks/{format_date(day)}/{METHODOLOGY}/{SERIES}"
    preparer, approver = story["preparer"], story["approver"]
    preparer.arrive()
    preparer.go("/venue/marks")
    preparer.look("13-marks")
    preparer.go(path)
    preparer.look("13-prepare")
    preparer.press("Make it again and propose it")
    approver.arrive()
    approver.go(path)
    approver.look("13-approve")
    approver.press("Approve exactly this")
    assert "The mark is approved" in approver.text()


def margin_is_right(story: Story, day: int) -> None:
    """Both sides read the same table; its settlement prices and targets are those of plain fractions."""
    expected = {format_date(one): margin_of(one) for one in range(BOOKED, day + 1)}
    for name, sign in (("buyer", 1), ("seller", -1)):
        person = story[name]
        person.arrive()
        person.go("/venue/contracts")
        person.look(f"14-contracts-{name}")
        person.follow(SERIES)
        person.look(f"14-margin-{name}")
        rows = person.visit.page.locator("table.figures tbody tr").all()
        read = {}
        for row in rows:
            cells = [cell.inner_text().strip() for cell in row.locator("th, td").all()]
            read[cells[0]] = (
                cells[1],
                Fraction(cells[2]),
                Fraction(cells[3].replace("−", "-").replace(",", "")),
            )
        assert read == {
            date: (PRICES[date], price, sign * target) for date, (price, target) in expected.items()
        }


def margin_of(day: int) -> tuple[Fraction, Fraction]:
    """Return settlement price and target of a day (docs/settlement.md): before the window the mark; in it, the mean.

    Of the mean the days to come count as this one.
    """
    mark = Fraction(PRICES[format_date(day)])
    seen = [Fraction(PRICES[format_date(one)]) for one in range(FIRST, day + 1)]
    count = LAST - FIRST + 1
    price = round((sum(seen) + (count - len(seen)) * mark) / count, 6)
    return price, round((price - Fraction(LIMIT)) * QUANTITY, 2)


def disputed(story: Story) -> None:
    """The buyer disputes a mark by the form."""
    buyer, date = story["buyer"], format_date(DISPUTED)
    buyer.arrive()
    buyer.go(f"/venue/contracts/{story.contract}/marks")
    buyer.look("15-marks")
    buyer.go(f"/venue/contracts/{story.contract}/dispute")
    buyer.put(
        date=date, price="12.7", reason="Our own archive has other prices.", evidence="what we archived"
    )
    buyer.look("15-dispute")
    buyer.press("Dispute it for my organisation")
    buyer.look("15-disputed")
    assert "two people who did not make the mark decide" in buyer.text()


def upheld(story: Story) -> None:
    """Two operators who did not make the mark uphold it; whoever made it may not."""
    path = f"/venue/marks/{format_date(DISPUTED)}/{METHODOLOGY}/{SERIES}"
    one, other = story["desk"], story["treasury"]
    one.arrive()
    one.go(path)
    one.look("16-judge")
    one.visit.page.locator("main form:has(button[value=uphold]) [name=reason]").fill("It is what was posted.")
    one.press("Say that it stands")
    assert "has to confirm it" in one.text()
    other.arrive()
    other.go(path)
    other.press("Confirm exactly this")
    other.look("16-upheld")
    assert "Confirmed and done" in other.text()


# ---- the end


def settled(story: Story) -> None:
    """The last marks are locked, the contract matures, the treasury settles and closes."""
    story.go("2026-03-04 09:00:00")
    till, path = story["treasury"], f"/venue/treasury/contracts/{story.contract}"
    for name in ("buyer", "seller"):
        story[name].arrive()
        story[name].go(f"/venue/contracts/{story.contract}")
        assert "Its last mark is locked; the last payment is due." in story[name].text()
        story[name].look(f"17-matured-{name}")
    story.go("2026-03-06 12:00:00")
    for does in ("The last payment has been made", "The collateral has been returned"):
        till.arrive()
        till.go(path)
        till.follow(does)
        till.look(f"17-{does.split()[1]}")
        till.press("Do it")
        story.tick()
    for name in ("buyer", "seller"):
        story[name].arrive()
        story[name].go(f"/venue/contracts/{story.contract}")
        story[name].look(f"18-closed-{name}")
    story.did.append("closed")


def documents_are_right(story: Story) -> None:
    """Both download the same; marks, amount and digest are those of the test and of what was approved."""
    saved: dict[str, set[bytes]] = {"statement": set(), "confirmation": set()}
    for name in ("buyer", "seller"):
        for kind, found in saved.items():
            found.add(story[name].download(f"/venue/contracts/{story.contract}/{kind}.json"))
            story[name].go(f"/venue/contracts/{story.contract}/{kind}")
            story[name].look(f"19-{kind}-{name}")
            story[name].go(f"/venue/contracts/{story.contract}")
    statement, confirmation = (json.loads(raw) for [raw] in saved.values())
    price, amount = margin_of(LAST)
    days = [format_date(day) for day in range(FIRST, LAST + 1)]
    assert [(row["date"], row["value"]) for row in statement["marks"]] == [
        (date, PRICES[date]) for date in days
    ]
    assert {row["state"] for row in statement["marks"]} == {"locked"}
    entries = story.desk.published.entries
    for row in statement["marks"]:
        entry = entries[int(row["log_index"])]
        assert (entry["type"], entry["date"]) == ("mark", row["date"])
    assert Fraction(statement["final_settlement_value"]) == price
    assert Fraction(statement["amount_to_buyer"]) == amount
    paid = Fraction(statement["moved_before"]) + Fraction(statement["final_payment_to_buyer"])
    assert paid == amount
    assert statement["terms_sha256"] == confirmation["terms_sha256"] == story.digest
    assert [one["terms_sha256"] for one in confirmation["approvals"]] == [story.digest] * 2
    assert (confirmation["buyer"]["legal_name"], confirmation["seller"]["legal_name"]) == (
        COMPANIES["buyer"][0],
        COMPANIES["seller"][0],
    )


def stranger_learns_nothing(story: Story) -> None:
    """A participant of another company gets for every address of the others what a missing one gets.

    Lists that every participant has are empty; whatever is of one object, or of a role, is as if it were not there.
    """
    stranger = story["stranger"]
    asked = {
        (method, path): fields
        for name, person in story.people.items()
        for (method, path), fields in person.asked.items()
        if name != "stranger" and path.startswith("/venue/") and path != "/venue/"
    }
    own = {"/venue/apply", "/venue/requests", "/venue/requests/new", "/venue/terms", "/venue/contracts"}
    stranger.arrive()
    tried = Counter[str]()
    for (method, path), fields in sorted(asked.items()):
        if path in own:
            if method == "GET":
                status, text = stranger.asks("GET", path, {})
                assert status == 200, path
                told = [*secrets_of("buyer"), *secrets_of("seller"), story.contract]
                assert not [secret for secret in told if secret in text], path
                tried["list"] += 1
            continue
        status, text = stranger.asks(method, path, fields)
        absent = stranger.asks(method, re.sub(r"(?<=/)[\w-]{22}(?=[/.]|$)", ABSENT, path), fields)
        assert status == 404, f"{method} {path}: {status}"
        ids = re.findall(r"(?<=/)[\w-]{22}(?=[/.]|$)", path)
        for identity in ids:
            text = text.replace(identity, ABSENT)
        assert (status, text) == absent, f"{method} {path}"
        tried["object" if ids else "role"] += 1
    for path in ("/venue/requests", "/venue/terms", "/venue/contracts", "/venue/notifications"):
        stranger.go(path)
        stranger.look(f"20-stranger-{path.rpartition('/')[2]}")
        assert stranger.visit.page.locator("main tbody tr").count() == 0, path
    assert tried["list"] >= 4
    assert tried["role"] >= 8
    assert tried["object"] >= 25
    story.did.append(f"the stranger tried {dict(tried)}")


def mails_are_right(story: Story, before: dict[str, int]) -> None:
    """One mail a side and event, each to one recipient; none to the stranger; names from the booking on alone."""
    letters = story.post.letters
    assert {len(to) for to, _ in letters} == {1}
    assert Counter(story.mails_to("buyer")[before["buyer"] :]) == TO_EACH_SIDE
    assert Counter(story.mails_to("seller")[before["seller"] :]) == TO_EACH_SIDE
    assert len(story.mails_to("stranger")) == before["stranger"]
    for name, other in (("buyer", "seller"), ("seller", "buyer")):
        naming = [
            str(mail["Subject"])
            for to, mail in letters
            if to == [address_of(name)] and any(one in body_of(mail) for one in secrets_of(other))
        ]
        assert naming == ["A contract is booked"]


def body_of(mail: Any) -> str:
    """Return all that a mail says."""
    parts = [str(part.get_content()) for part in mail.walk() if part.get_content_maintype() == "text"]
    return "\n".join([*(f"{key}: {value}" for key, value in mail.items() if key != "To"), *parts])

"""Mails from the change they tell of to a mail server: who is told what and when, and what breaks on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from mailbox import DIES, Mailbox, deliver, mailbox
from pathlib import Path
from typing import Any

import msgspec
import pytest

import people
import venues
from mtok.calendar import DAY
from mtok.market.margin import Side
from mtok.settlement.people import Role
from served import free_port
from venue_story import BOTH_ROLES, MINUTE, RUN, SLOT_END, TERMS_END, Story, fresh

ALDER, BIRCH = "buyer@example.com", "seller@example.com"
DESK, TREASURY, NIGHT = "desk@example.com", "treasury@example.com", "night@example.com"


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[venues.Clock]:
    with fresh(tmp_path / "venue.sqlite3") as clock:
        yield clock


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


def kept() -> list[Any]:
    """Return every mail of the outbox."""
    from mtok.venue.database.models import Message

    return list(Message.objects.order_by("made_at", "event", "recipient"))


def named(name: str) -> list[Any]:
    """Return the mails of an event's name."""
    return [one for one in kept() if one.event.split(":")[0] == name]


def next_attempt() -> int:
    """Return when a mail is tried next, 0 where none waits."""
    waiting = [one.next_at for one in kept() if one.sent_at is None and one.given_up_at is None]
    return min(waiting, default=0)


def test_the_path_to_a_call(clock: venues.Clock, box: Mailbox) -> None:
    """Each event goes to each side once, to roles once, at its hour, and a name is in no mail before booking."""
    story = Story(clock)
    contract = story.book()
    before_booking = [one for one in kept() if not one.event.startswith("booked")]
    assert deliver(box, clock()) == len(kept()) - 2, "terms wait for the end of the slot"
    assert {one.not_before for one in named("terms")} == {SLOT_END}
    clock.instant = SLOT_END
    assert deliver(box, clock()) == 2
    story.activate(contract)
    story.margin("2026-06-23", 10_000_000)
    deliver(box, clock())
    told = {(one.event.split(":")[0], one.recipient) for one in kept()}
    assert told == {
        ("request_waits", DESK),
        ("request_accepted", ALDER),
        ("request_accepted", BIRCH),
        ("candidates_wait", DESK),
        ("terms", ALDER),
        ("terms", BIRCH),
        ("booked", ALDER),
        ("booked", BIRCH),
        ("initial_margin_waits", TREASURY),
        ("initial_margin_waits", NIGHT),
        ("contract_active", ALDER),
        ("contract_active", BIRCH),
        ("margin_call", ALDER),
        ("margin_call", TREASURY),
        ("margin_call", NIGHT),
    }
    assert len(box.raw) == len(kept()) == len(set(box.ids))
    for one in before_booking:
        assert "Alder" not in one.text + one.subject + one.html
        assert "Birch" not in one.text + one.subject + one.html
    [call] = [one for one in named("margin_call") if one.recipient == ALDER]
    assert "USD 5,864.00" in call.text or "USD 5864.00" in call.text  # 2,500 x (12.3456 - 10), by hand


def test_headers_of_a_mail(clock: venues.Clock, box: Mailbox) -> None:
    story = Story(clock)
    story.book()
    deliver(box, clock())
    for mail, recipients in zip(box.mails, box.recipients, strict=True):
        assert [str(mail["To"])] == recipients
        assert (mail["Cc"], mail["Bcc"]) == (None, None)
        assert mail["From"] == "mtok <venue@mtok.example>"
        assert str(mail["Message-ID"]).endswith("@mtok.example>")
        assert mail["Date"].datetime.tzinfo is not None
        plain, marked_up = mail.get_body(("plain",)), mail.get_body(("html",))
        assert plain is not None
        assert marked_up is not None
        assert "Paper contracts only" in plain.get_content()
        assert "https://localhost/venue/" in plain.get_content()
        assert 'href="https://localhost/venue/' in marked_up.get_content()
    [booked] = [one for one in box.mails if one["To"] == ALDER and "booked" in str(one["Subject"])]
    body = booked.get_body(("plain",))
    assert body is not None
    assert "booked with Birch" in body.get_content().replace("\n", " ")


HOSTILE = "Birch\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script> & Söhne \u202egnp.exe {{ link }} %s"


def test_a_hostile_name_is_text(clock: venues.Clock, box: Mailbox) -> None:
    """A name that would be a header, a paragraph, mark-up or a template is the one line of text that it is."""
    story = Story(clock, names=("Alder", HOSTILE))
    story.book()
    deliver(box, clock())
    [booked] = [one for one in box.mails if one["To"] == ALDER and "booked" in str(one["Subject"])]
    assert (booked["Bcc"], booked["Cc"]) == (None, None)
    plain, marked_up = booked.get_body(("plain",)), booked.get_body(("html",))
    assert plain is not None
    assert marked_up is not None
    line = "Birch Bcc: all@example.com <script>alert(1)</script> & Söhne gnp.exe {{ link }} %s"
    assert f"booked with {line}." in plain.get_content()
    assert "<script>" not in marked_up.get_content()
    assert "&lt;script&gt;" in marked_up.get_content()
    for raw, recipients in zip(box.raw, box.recipients, strict=True):
        head = raw.split(b"\r\n\r\n")[0]
        assert b"\nbcc" not in head.lower()
        assert len(recipients) == 1


@pytest.mark.parametrize("address", ["a@example.com\r\nBcc: b@example.com", "a@example.com\nX: y", ""])
def test_an_address_that_is_none_keeps_no_other_mail_back(
    clock: venues.Clock, box: Mailbox, address: str
) -> None:
    """Nothing writes such an address; were it there, that mail would stay and every other one go."""
    from mtok.venue.database.models import Message

    story = Story(clock)
    story.ask_both()
    bad = kept()[0]
    Message.objects.filter(pk=bad.pk).update(recipient=address)
    deliver(box, clock())
    assert len(box.raw) == len(kept()) - 1
    assert Message.objects.get(pk=bad.pk).failure


def test_a_server_that_is_down_for_a_day(clock: venues.Clock) -> None:
    """Every mail is kept and tried at growing distances, shown to operators after a day, and goes once when it can."""
    from mtok.venue.mail.work import late

    story = Story(clock)
    story.ask_both()
    waiting, port = len(kept()), free_port()
    nobody = Mailbox(port)
    began, tried = clock.instant, []
    while clock.instant < began + DAY + 60 * MINUTE:
        assert deliver(nobody, clock()) == 0
        tried.append((clock.instant - began) // MINUTE)
        clock.instant = next_attempt()
    assert tried[:6] == [0, 4, 12, 28, 60, 120], "after 4, 8, 16, 32 minutes, then every hour"
    assert len(late(clock())) == waiting
    assert all(one.failure == "ConnectionRefusedError" for one in kept())
    with mailbox(port) as box:
        assert deliver(box, clock()) == waiting
        assert deliver(box, clock() + DAY) == 0
        assert len(set(box.ids)) == len(box.ids) == waiting
    assert late(clock()) == []


def test_a_server_that_takes_a_mail_and_dies_before_it_answers(clock: venues.Clock, box: Mailbox) -> None:
    """The mail goes a second time with the same Message-ID and the same bytes, and no third time."""
    story = Story(clock)
    story.ask(story.buyer, "b", Side.BUY)
    box.answers = [DIES]
    deliver(box, clock())
    waiting = len(kept())
    clock.pass_seconds(4 * 60)
    deliver(box, clock())
    deliver(box, clock() + DAY)
    assert len(box.raw) == waiting + 1
    assert len(set(box.ids)) == waiting
    [twice] = {one for one in box.ids if box.ids.count(one) == 2}
    first, second = (raw for raw, one in zip(box.raw, box.ids, strict=True) if one == twice)
    assert first == second


def test_a_server_that_is_busy(clock: venues.Clock, box: Mailbox) -> None:
    story = Story(clock)
    story.ask(story.buyer, "b", Side.BUY)
    box.answers = ["452 no room", "554 not today"]
    assert deliver(box, clock()) == 0
    assert {one.failure for one in kept()} == {"SMTPDataError 452", "SMTPDataError 554"}
    clock.pass_seconds(4 * 60)
    assert deliver(box, clock()) == 2


def test_a_recipient_that_is_refused_for_good(clock: venues.Clock, box: Mailbox) -> None:
    """It is tried for a day, as a server that is set up wrongly refuses like this too; then the desk is told, once."""
    from mtok.venue.mail.work import late

    story = Story(clock)
    story.ask(story.buyer, "b", Side.BUY)
    box.refused = {ALDER: "550 no such user"}
    began = clock.instant
    while next_attempt():
        clock.instant = max(clock.instant, next_attempt())
        deliver(box, clock())
    [gone] = [one for one in kept() if one.recipient == ALDER]
    assert gone.given_up_at is not None
    assert DAY <= gone.given_up_at - began < DAY + 61 * MINUTE
    assert gone.attempts < 32
    assert [one.pk for one in late(clock())] == [gone.pk]
    [said] = named("undeliverable")
    assert said.recipient == DESK
    assert ALDER not in said.text + said.html
    box.refused = {}
    assert deliver(box, clock() + DAY) == 0, "what was given up stays so"


def test_a_desk_that_is_refused_is_not_told_of_it_for_ever(clock: venues.Clock, box: Mailbox) -> None:
    story = Story(clock)
    story.ask(story.buyer, "b", Side.BUY)
    box.refused = {DESK: "550 no such user"}
    while next_attempt():
        clock.instant = max(clock.instant, next_attempt())
        deliver(box, clock())
    assert [one.given_up_at is not None for one in named("undeliverable")] == [True]


def test_terms_wait_for_the_slot_and_no_match_says_why_to_nobody(clock: venues.Clock, box: Mailbox) -> None:
    story = Story(clock)
    third = people.person("Third", *BOTH_ROLES, organisation=people.organisation("Cedar", people.LEIS[2]))
    story.ask_both()
    story.ask(third, "t", Side.BUY, firm=False)
    story.send()
    story.go(SLOT_END - 1)
    deliver(box, clock())
    assert not [
        one for one in box.mails if one["Subject"] in ("Terms wait for your approval", "No match in this run")
    ]
    story.go(SLOT_END)
    deliver(box, clock())
    assert {str(one["To"]) for one in box.mails if one["Subject"] == "Terms wait for your approval"} == {
        ALDER,
        BIRCH,
    }
    [none] = named("no_match")
    assert none.recipient == "third@example.com"
    story.go(SLOT_END + MINUTE)
    assert len(named("no_match")) == 1, "once"


@pytest.mark.parametrize("how", ["declined", "over"])
def test_lapsed_says_neither_who_nor_why(clock: venues.Clock, how: str) -> None:
    """The side that did not decline gets the same mail at the same hour, whether somebody declined or time ran out."""
    from mtok.venue.otc import trading

    story = Story(clock)
    story.ask_both()
    pair = story.send()
    if how == "declined":
        trading.give(people.shown(story.buyer, clock()), "proposal", "decline", pair)
        [own] = named("terms_declined")
        assert own.recipient == ALDER
    story.go(TERMS_END)
    [lapsed] = [one for one in named("terms_lapsed") if one.recipient == BIRCH]
    assert lapsed.not_before == TERMS_END
    assert lapsed.subject == "Terms have lapsed"
    said = lapsed.text.split("\n\n")[0]
    assert said == (
        "The terms for your request on openai, 2026-08, have lapsed. What they had reserved is free again."
    )


def test_who_is_firm_is_not_asked(clock: venues.Clock) -> None:
    story = Story(clock)
    story.ask(story.buyer, "b", Side.BUY)
    story.ask(story.seller, "s", Side.SELL, firm=False)
    story.go(RUN)
    story.go(RUN + MINUTE)
    [asked] = named("reconfirm")
    assert asked.recipient == BIRCH
    assert asked.not_before == RUN
    assert "2026-06-23T15:00:00Z" in asked.text


def test_a_call_that_is_overdue_is_told_once(clock: venues.Clock) -> None:
    story = Story(clock)
    contract = story.book()
    story.activate(contract)
    story.margin("2026-06-23", 10_000_000)
    due = RUN + 3 * DAY + 2 * 60 * MINUTE  # called on Wednesday the 24th, paid on Thursday by 17:00, by hand
    story.go(due - 1)
    assert named("call_overdue") == []
    story.go(due)
    story.go(due + DAY)
    assert {one.recipient for one in named("call_overdue")} == {ALDER, TREASURY, NIGHT}
    assert len(named("call_overdue")) == 3


def test_a_login_that_is_disabled_is_told_nothing(clock: venues.Clock) -> None:
    from mtok.venue.accounts.models import Login

    story = Story(clock)
    people.person("Second", Role.PARTICIPANT_USER, organisation=story.organisations[0])
    away = people.person("Away", Role.PARTICIPANT_USER, organisation=story.organisations[0])
    Login.objects.filter(pk=away.login).update(is_active=False)
    story.ask(story.buyer, "b", Side.BUY)
    assert {one.recipient for one in named("request_accepted")} == {ALDER, "second@example.com"}


def test_what_is_refused_tells_nobody(clock: venues.Clock) -> None:
    """A mail is written with its change, or neither is."""
    from mtok.settlement.machines import Refused
    from mtok.venue.otc import trading

    story = Story(clock)
    story.ask_both()
    before = len(kept())
    with pytest.raises(Refused):
        trading.give(story.desk, "request", "accept", "b")
    assert len(kept()) == before


@pytest.mark.parametrize(
    ("address", "port", "tls"),
    [
        ("smtp://mail.example", 25, "starttls"),
        ("smtp://mail.example:587?starttls=1", 587, "starttls"),
        ("smtp://localhost:2525", 2525, ""),
        ("smtp://localhost?starttls=1", 25, "starttls"),
        ("smtps://me:p%40ss@mail.example", 465, "implicit"),
    ],
)
def test_which_server(address: str, port: int, tls: str) -> None:
    """Nothing goes to another machine in the clear, whatever the address leaves out."""
    venues.configured()
    from mtok.venue.environment import VenueEnvironment
    from mtok.venue.mail.sending import Server

    found = Server.of(VenueEnvironment(mail=address, mail_from="v@mtok.example"))
    assert found is not None
    assert (found.port, found.tls) == (port, tls)
    assert "p@ss" not in repr(found)
    assert Server.of(VenueEnvironment(mail="")) is None


def test_a_server_without_tls_is_not_spoken_to(clock: venues.Clock, box: Mailbox) -> None:
    from dataclasses import replace

    from mtok.venue.mail.work import deliver_due

    story = Story(clock)
    story.ask(story.buyer, "b", Side.BUY)
    assert deliver_due(replace(box.server(), tls="starttls").send, clock, 100) == 0
    assert box.raw == []
    assert {one.failure for one in kept()} == {"SMTPNotSupportedError"}


def test_a_secret_is_erased_once_it_is_sent(clock: venues.Clock, box: Mailbox) -> None:
    from mtok.venue.mail import outbox
    from mtok.venue.mail.writing import composed

    words = composed("Confirm your address", ["Follow the link."], "https://localhost/account/confirm/secret")
    message = outbox.message("account:1", "new@example.com", words, clock(), is_secret=True)
    message.save()
    deliver(box, clock())
    assert b"secret" in box.raw[0]
    message.refresh_from_db()
    assert (message.text, message.html, message.sent_at) == ("", "", clock())


def test_notifications_say_the_same(clock: venues.Clock) -> None:
    from mtok.venue.database.models import Notice

    story = Story(clock)
    story.ask(story.buyer, "b", Side.BUY)
    [own] = Notice.objects.filter(party=story.buyer.party)
    assert (own.object_kind, own.object, own.login) == ("request", "b", None)
    assert own.text.startswith("Your request on openai, 2026-08, was accepted.")
    [desk] = Notice.objects.filter(login=story.desk.login)
    assert desk.text == "A request was submitted and waits to be accepted or rejected."


# ---- one worker and two, one world and another


def test_a_claim_is_not_taken_twice(clock: venues.Clock) -> None:
    from mtok.venue.mail.work import claim

    story = Story(clock)
    story.ask(story.buyer, "b", Side.BUY)
    claimed = [claim(clock()) for _ in range(len(kept()) + 1)]
    assert claimed.pop() is None
    assert len({one.pk for one in claimed if one is not None}) == len(kept())
    clock.pass_seconds(4 * 60 - 1)
    assert claim(clock()) is None
    clock.pass_seconds(1)
    assert claim(clock()) is not None, "whose worker died comes again"


def mails_of_alder(path: Path, others: str) -> list[tuple[str, int, bytes]]:
    """Return what the first participant is sent until the end of the second slot, in a world with others in it."""
    from mtok.venue.database.models import Notice
    from mtok.venue.mail.sending import mail_of
    from mtok.venue.otc import trading

    with fresh(path) as clock:
        story = Story(clock)
        story.ask(story.buyer, "b", Side.BUY, firm="not firm" not in others)
        story.ask(story.buyer, "c", Side.BUY, lots=2, firm=False)
        if others:
            story.ask(story.seller, "s", Side.SELL, firm="sits out" not in others)
        story.go(RUN + MINUTE)
        if others == "dropped":
            trading.give(story.desk, "proposal", "drop", story.candidate())
        story.go(SLOT_END)
        story.go(RUN + DAY)
        story.go(SLOT_END + DAY)
        sent = [(one.recipient, one.not_before, mail_of(one, "v@mtok.example").as_bytes()) for one in kept()]
        shown = Notice.objects.filter(party=story.buyer.party).order_by("pk")
        own = [(ALDER, one.at, f"{one.object} {one.text}".encode()) for one in shown]
        return sorted(one for one in sent + own if one[0] == ALDER)


@pytest.mark.parametrize("others", ["dropped", "lapsed", "sits out"])
def test_until_their_first_terms_mails_say_nothing_of_others(tmp_path: Path, others: str) -> None:
    """The same actions of one participant give the same mails to the byte, whoever else is there or fits."""
    alone = mails_of_alder(tmp_path / "alone.sqlite3", "")
    assert mails_of_alder(tmp_path / "beside.sqlite3", others) == alone
    assert sum(b"No match in this run" in raw for _, _, raw in alone) == 4, "two runs, two requests"


# ---- the table


def test_every_event_has_words_in_one_line_of_subject() -> None:
    venues.configured()
    from mtok.venue.mail import telling
    from mtok.venue.mail.writing import TEMPLATES, written

    words = {
        "reference": "openai",
        "month": "2026-08",
        "date": "2026-06-22",
        "until": "u",
        "run": "r",
        "counterparty": "Birch",
        "amount": "1.00",
        "due": "d",
    }
    names = {(row.name, reader) for row in telling.TABLE for reader in row.readers}
    names |= {("margin_call", telling.Reader.CALLED), ("call_overdue", telling.Reader.CALLED)}
    names |= {("no_match", telling.Reader.OWNER), ("reconfirm", telling.Reader.OWNER)}
    names |= {("calls_made", Role.TREASURY), ("overdue_waits", Role.TREASURY), ("undeliverable", Role.DESK)}
    for name, reader in sorted(names):
        is_role = isinstance(reader, Role)
        told = telling.Told(
            event=name,
            name=name,
            not_before=0,
            party=None if is_role else "p",
            role=reader if isinstance(reader, Role) else None,
            kind="contract",
            object="x",
            words={} if is_role else words,
        )
        made = written(told)
        assert made.subject == " ".join(made.subject.split())
        assert made.said.endswith((".", "?"))
        assert not {"{", "}", "%}"} & set(made.text)
        assert (", ," in made.text, " on ," in made.text, "  " in made.said) == (False, False, False), (
            made.text
        )
        if is_role:
            assert not [value for value in ("openai", "2026-08", "Birch", "1.00") if value in made.text]
    assert {name for name, _ in names} == {path.stem for path in TEMPLATES.glob("*.txt")} - {"frame"}


def test_links_lead_to_pages() -> None:
    """Every address that a mail leads to is one of the venue's own."""
    venues.configured()
    from django.urls import Resolver404, resolve

    from mtok.venue.mail import telling, writing

    told = telling.Told(event="e", name="n", not_before=0, object="A" * 22)
    people_led = [msgspec.structs.replace(told, party="p", kind=kind) for kind in writing._PAGES]
    roles_led = [msgspec.structs.replace(told, role=role) for role in writing._DESKS]
    for one in people_led + roles_led:
        try:
            resolve(writing.page_of(one))
        except Resolver404:
            pytest.fail(f"no page at {writing.page_of(one)}")


def test_states_of_the_table_are_states_of_the_core() -> None:
    venues.configured()
    from mtok.market.book import MACHINES
    from mtok.settlement import marks
    from mtok.venue.mail.telling import TABLE

    for row in TABLE:
        machine = {**MACHINES, "mark": marks.MACHINE}[row.kind]
        for before in row.before:
            pairs = {(one.state, after) for one in machine.rows for after in one.to}
            assert (before, row.after) in pairs, f"{row.name}: no command leads from {before} to {row.after}"


DOCUMENT = Path(__file__).parents[1] / "docs" / "mail.md"


def events_table() -> str:
    """Return the events of the document as the program has them."""
    from mtok.venue.mail import telling
    from mtok.venue.mail.writing import TEMPLATES

    rows = [(row.name, row.readers, row.hour.value) for row in telling.TABLE]
    rows += [
        ("margin_call", (telling.Reader.CALLED,), "at once"),
        ("calls_made", (Role.TREASURY,), "at once"),
        ("call_overdue", (telling.Reader.CALLED,), "when it is overdue"),
        ("overdue_waits", (Role.TREASURY,), "when a call is overdue"),
        ("reconfirm", (telling.Reader.OWNER,), "at 15:00, of a request that is not firm for the next run"),
        ("no_match", (telling.Reader.OWNER,), "at the end of the slot"),
        ("undeliverable", (Role.DESK,), "a day after it was due"),
    ]
    lines = ["| event | who is told | when | subject |", "| --- | --- | --- | --- |"]
    for name, readers, hour in rows:
        subject = (TEMPLATES / f"{name}.txt").read_text("utf-8").split("\n")[0]
        subject = re.sub(r"{% if \w+ %}(.*?){% else %}(.*?){% endif %}", r"\1 · to a role: \2", subject)
        who = ", ".join(f"`{one}`" if isinstance(one, Role) else one for one in readers)
        lines.append(f"| `{name}` | {who} | {hour} | {subject} |")
    return "\n".join(lines)


def test_the_document_lists_every_event() -> None:
    venues.configured()
    page = DOCUMENT.read_text("utf-8")
    written = page.partition("<!-- events -->\n")[2].partition("\n<!-- end -->")[0]
    assert written == events_table(), f"docs/mail.md should say\n{events_table()}"

"""Sinks against real servers on the loopback: mail, webhook, the file for Prometheus; each alarm once a sink."""

from __future__ import annotations

import fcntl
import json
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message as MailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import stamina
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from structlog import get_logger
from structlog.testing import capture_logs

from mtok.archive import Store
from mtok.archive.files import sweep
from mtok.calendar import DAY
from mtok.errors import BadCall
from mtok.watch import Alarm, Delivery, Sinks, deliver
from mtok.watch.delivery import LISTED_MAX
from mtok.watch.sinks import Mail, Webhook
from test_watch_status import alarm, made_up
from watched import at

NOW = at("2026-06-20 14:00:00")
PASSWORD = "secret-p@ss/word"


# ---- servers


class Hook(HTTPServer):
    """Answers POSTs with the statuses in `answers`, then 204; keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.received: list[dict[str, Any]] = []
        self.types: list[str | None] = []
        super().__init__(("127.0.0.1", 0), _HookAnswers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/secret-path"


class _HookAnswers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hook = self.server
        assert isinstance(hook, Hook)
        hook.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        hook.types.append(self.headers["Content-Type"])
        self.send_response(hook.answers.pop(0) if hook.answers else 204)
        self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def free_port() -> int:
    """Return a port nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A webhook on the loopback."""
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Inbox:
    """A mail server that keeps what it is sent, for one user."""

    def __init__(self) -> None:
        self.mails: list[MailMessage] = []
        self.recipients: list[list[str]] = []
        self.refuse = ""
        self.logins: list[tuple[bytes, bytes]] = []

    async def take(self, *spoken: Any) -> str:
        """Take one message; the third of what was spoken is its envelope."""
        envelope: Envelope = spoken[2]
        if self.refuse:
            return self.refuse
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"

    def authenticate(self, *spoken: Any) -> AuthResult:
        """Let in who has the password; the fifth of what was spoken is the login."""
        login: LoginPassword = spoken[4]
        self.logins.append((login.login, login.password))
        return AuthResult(success=login.password == PASSWORD.encode(), handled=False)


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    """A mail server on the loopback, and its port."""
    kept, port = Inbox(), free_port()
    controller = Controller(
        SimpleNamespace(handle_DATA=kept.take),
        hostname="127.0.0.1",
        port=port,
        authenticator=kept.authenticate,
        auth_require_tls=False,
    )
    controller.start()
    yield kept, port
    controller.stop()


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def sinks(**environ: str) -> Sinks:
    return Sinks.from_environment(environ)


def mail_settings(port: int, password: str = "secret-p%40ss%2Fword") -> dict[str, str]:
    return {
        "MTOK_MAIL_URL": f"smtp://mtok:{password}@127.0.0.1:{port}",
        "MTOK_MAIL_FROM": "mtok@index.example",
        "MTOK_MAIL_TO": "one@ops.example, two@ops.example",
    }


def handed(
    store: Store, alarms: list[Alarm], to: Sinks, now: int = NOW, older: tuple[Alarm, ...] = ()
) -> list[Delivery]:
    """Deliver alarms that are open, and older ones."""
    status = replace(made_up(), open=tuple(alarms))
    return deliver(store, status, [*older, *alarms], to, now, get_logger())


LATE = alarm("stale_prices", "models", "the newest is of 2026-06-20T08:00:00Z")
JUMP = alarm("price_jump", "qwen/qwen3-max", "6 after 2.4 USD per 1M output tokens")
DYNAMIC = alarm("price_dynamic", "openrouter/auto", "-1")


# ---- the webhook


def test_a_webhook_gets_late_alarms_and_warnings_and_no_notes(store: Store, hook: Hook) -> None:
    assert handed(store, [DYNAMIC, JUMP, LATE], sinks(MTOK_WEBHOOK_URL=hook.url)) == [
        Delivery(sink="webhook", alarms=2)
    ]
    [content] = hook.received
    assert hook.types == ["application/json"]
    assert content.keys() == {"text", "store", "at", "alarms"}
    assert (content["store"], content["at"]) == (str(store.path), "2026-06-20T14:00:00Z")
    assert [(one["code"], one["severity"]) for one in content["alarms"]] == [
        ("stale_prices", "late"),
        ("price_jump", "warning"),
    ]
    assert content["alarms"][1]["found"] == "6 after 2.4 USD per 1M output tokens"
    assert content["text"].startswith("mtok: 1 late, 1 to look at\n")
    assert (
        "late: stale_prices models (2026-06-20): the newest is of 2026-06-20T08:00:00Z\n" in content["text"]
    )
    assert "openrouter/auto" not in content["text"]


def test_a_webhook_that_fails_twice_is_tried_a_third_time(store: Store, hook: Hook) -> None:
    hook.answers = [503, 429]
    [delivery] = handed(store, [JUMP], sinks(MTOK_WEBHOOK_URL=hook.url))
    assert delivery.failure is None
    assert len(hook.received) == 3
    handed(store, [JUMP], sinks(MTOK_WEBHOOK_URL=hook.url))
    assert len(hook.received) == 3


@pytest.mark.parametrize(
    ("answers", "tries", "said"), [([500] * 4, 3, "500"), ([404], 1, "404"), ([302], 1, "302")]
)
def test_a_webhook_that_refuses_is_reported_and_told_again_the_next_time(
    store: Store, hook: Hook, answers: list[int], tries: int, said: str
) -> None:
    to = sinks(MTOK_WEBHOOK_URL=hook.url)
    hook.answers = list(answers)
    with capture_logs() as logged:
        [delivery] = handed(store, [JUMP], to)
    assert delivery == Delivery(sink="webhook", alarms=1, failure=f"webhook at 127.0.0.1 answered {said}")
    assert len(hook.received) == tries
    assert "delivery_failed" in [entry["event"] for entry in logged]
    assert "secret-path" not in repr(logged) + repr(to) + repr(delivery)
    hook.answers = []
    assert handed(store, [JUMP], to) == [Delivery(sink="webhook", alarms=1)]
    assert handed(store, [JUMP], to) == [Delivery(sink="webhook", alarms=0)]


def test_a_webhook_nobody_listens_at_is_reported(store: Store) -> None:
    url = f"http://127.0.0.1:{free_port()}/services/secret-path"
    with capture_logs() as logged:
        [delivery] = handed(store, [JUMP], sinks(MTOK_WEBHOOK_URL=url))
    assert delivery.failure == "webhook at 127.0.0.1: ConnectError"
    assert "secret-path" not in repr(logged)


# ---- once


def test_an_alarm_is_sent_once_a_sink(store: Store, hook: Hook, inbox: tuple[Inbox, int]) -> None:
    kept, port = inbox
    web = {"MTOK_WEBHOOK_URL": hook.url}
    handed(store, [JUMP], sinks(**web))
    handed(store, [replace(JUMP, count=9, found="another"), LATE], sinks(**web, **mail_settings(port)))
    handed(store, [JUMP, LATE], sinks(**web, **mail_settings(port)))
    assert [[one["code"] for one in content["alarms"]] for content in hook.received] == [
        ["price_jump"],
        ["stale_prices"],
    ]
    assert len(kept.mails) == 1
    handed(store, [replace(JUMP, day="2026-06-21"), LATE], sinks(**web))
    assert hook.received[-1]["alarms"][0]["day"] == "2026-06-21", "the next day it is another alarm"


def test_what_is_no_longer_late_is_over_once(store: Store, hook: Hook) -> None:
    to = sinks(MTOK_WEBHOOK_URL=hook.url)
    for alarms in ([LATE, JUMP], [LATE, JUMP], [], [], [replace(LATE, day="2026-06-21")], []):
        handed(store, alarms, to)
    assert [[(one["code"], one["severity"]) for one in content["alarms"]] for content in hook.received] == [
        [("stale_prices", "late"), ("price_jump", "warning")],
        [("stale_prices", "over")],
        [("stale_prices", "late")],
        [("stale_prices", "over")],
    ]
    assert "over: stale_prices models" in hook.received[1]["text"]


def test_deliveries_are_remembered_for_sixty_days(store: Store, hook: Hook) -> None:
    to = sinks(MTOK_WEBHOOK_URL=hook.url)
    handed(store, [JUMP], to)
    handed(store, [JUMP, replace(JUMP, subject="b/b")], to, NOW + 60 * DAY - 1)
    assert [len(content["alarms"]) for content in hook.received] == [1, 1]
    handed(store, [replace(JUMP, subject="c/c")], to, NOW + 60 * DAY)
    lines = (store.path / "alarms" / "delivered.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["subject"] for line in lines] == ["b/b", "c/c"]


def test_a_line_that_cannot_be_read_costs_no_other(store: Store, hook: Hook) -> None:
    to = sinks(MTOK_WEBHOOK_URL=hook.url)
    handed(store, [JUMP], to)
    path = store.path / "alarms" / "delivered.jsonl"
    path.write_bytes(b"{torn\n" + path.read_bytes())
    assert handed(store, [JUMP], to) == [Delivery(sink="webhook", alarms=0)]


def test_a_store_that_cannot_be_written_is_reported(store: Store, hook: Hook) -> None:
    (store.path / "alarms").write_bytes(b"")
    [delivery] = handed(store, [JUMP], sinks(MTOK_WEBHOOK_URL=hook.url))
    assert delivery.failure is not None
    assert delivery.failure.startswith(str(store.path / "alarms"))


def test_a_message_lists_a_hundred_and_counts_the_rest(store: Store, hook: Hook) -> None:
    many = [replace(JUMP, subject=f"qwen/qwen-{number:03}") for number in range(LISTED_MAX + 5)]
    to = sinks(MTOK_WEBHOOK_URL=hook.url)
    handed(store, many, to)
    assert len(hook.received[0]["alarms"]) == LISTED_MAX
    assert hook.received[0]["text"].endswith("and 5 more: see mtok status\n")
    handed(store, many, to)
    assert len(hook.received) == 1


def test_what_a_sink_missed_is_sent_when_it_is_back(store: Store, hook: Hook) -> None:
    to, missed = sinks(MTOK_WEBHOOK_URL=hook.url), replace(JUMP, subject="b/b")
    handed(store, [JUMP], to)
    hook.answers = [404]
    handed(store, [missed], to, older=(JUMP,))
    handed(store, [], to, older=(JUMP, missed))
    assert [[one["subject"] for one in content["alarms"]] for content in hook.received] == [
        [JUMP.subject],
        ["b/b"],
        ["b/b"],
    ]


def test_a_new_sink_is_told_nothing_from_before_it(store: Store, hook: Hook) -> None:
    to, old = sinks(MTOK_WEBHOOK_URL=hook.url), replace(JUMP, subject="b/b", day="2026-06-14")
    assert handed(store, [], to, older=(old,)) == [Delivery(sink="webhook", alarms=0)]
    for _ in range(2):
        handed(store, [JUMP], to, older=(old,))
    assert [[one["subject"] for one in content["alarms"]] for content in hook.received] == [[JUMP.subject]]


def test_one_process_at_a_time_tells(store: Store, hook: Hook) -> None:
    to = sinks(MTOK_WEBHOOK_URL=hook.url)
    (store.path / "alarms").mkdir()
    with (store.path / "alarms" / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        [delivery] = handed(store, [JUMP], to)
    assert delivery.failure == "another process is telling the sinks"
    assert handed(store, [JUMP], to) == [Delivery(sink="webhook", alarms=1)]
    assert len(hook.received) == 1


def test_a_writer_of_the_store_may_sweep_while_deliveries_are_written(
    store: Store, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweeping(handle: int) -> None:
        sweep(store.path)

    monkeypatch.setattr("mtok.watch.delivery.os.fsync", sweeping)
    assert handed(store, [JUMP], sinks(MTOK_WEBHOOK_URL=hook.url)) == [Delivery(sink="webhook", alarms=1)]


def test_a_sink_that_fails_in_its_own_way_costs_no_other(
    store: Store, hook: Hook, inbox: tuple[Inbox, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """httpx2 refuses such a proxy with a ValueError that shows it."""
    monkeypatch.setenv("ALL_PROXY", "nonsense://secret@proxy.example:1")
    web, mail = handed(store, [JUMP], sinks(MTOK_WEBHOOK_URL=hook.url, **mail_settings(inbox[1])))
    assert web == Delivery(sink="webhook", alarms=1, failure="ValueError")
    assert mail == Delivery(sink="mail", alarms=1)


# ---- mail


def test_mail_is_one_message_to_all(store: Store, inbox: tuple[Inbox, int]) -> None:
    kept, port = inbox
    assert handed(store, [JUMP, LATE], sinks(**mail_settings(port))) == [Delivery(sink="mail", alarms=2)]
    [mail] = kept.mails
    assert kept.logins == [(b"mtok", PASSWORD.encode())]
    assert kept.recipients == [["one@ops.example", "two@ops.example"]]
    assert mail["Subject"] == "mtok: 1 late, 1 to look at"
    assert (mail["From"], mail["To"]) == ("mtok@index.example", "one@ops.example, two@ops.example")
    assert mail["Date"] == "Sat, 20 Jun 2026 14:00:00 +0000"
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert "late: stale_prices models" in body.decode()


def test_the_same_content_has_the_same_message_id(store: Store, inbox: tuple[Inbox, int]) -> None:
    kept, port = inbox
    for _ in range(2):
        handed(store, [JUMP], sinks(**mail_settings(port)))
        (store.path / "alarms" / "delivered.jsonl").unlink()
    handed(store, [LATE], sinks(**mail_settings(port)))
    first, again, other = [mail["Message-ID"] for mail in kept.mails]
    assert first == again != other
    assert first.endswith("@index.example>")


@pytest.mark.parametrize(
    ("password", "refuse", "said"),
    [
        ("wrong-secret", "", "SMTPAuthenticationError 535"),
        ("secret-p%40ss%2Fword", "554 no", "SMTPDataError 554"),
    ],
)
def test_mail_that_is_refused_is_reported_without_the_password(
    store: Store, inbox: tuple[Inbox, int], password: str, refuse: str, said: str
) -> None:
    kept, port = inbox
    kept.refuse = refuse
    with capture_logs() as logged:
        [delivery] = handed(store, [JUMP], sinks(**mail_settings(port, password)))
    assert delivery.failure == f"mail server 127.0.0.1: {said}"
    shown = repr(logged) + repr(delivery) + repr(sinks(**mail_settings(port, password)))
    assert "secret" not in shown
    kept.refuse = ""
    assert handed(store, [JUMP], sinks(**mail_settings(port))) == [Delivery(sink="mail", alarms=1)]


def test_mail_without_a_server_is_reported(store: Store) -> None:
    [delivery] = handed(store, [JUMP], sinks(**mail_settings(free_port())))
    assert delivery.failure == "mail server 127.0.0.1: ConnectionRefusedError"


def test_starttls_is_asked_for_and_its_absence_fails(store: Store, inbox: tuple[Inbox, int]) -> None:
    kept, port = inbox
    settings = mail_settings(port)
    settings["MTOK_MAIL_URL"] += "?starttls=1"
    [delivery] = handed(store, [JUMP], sinks(**settings))
    assert delivery.failure == "mail server 127.0.0.1: SMTPNotSupportedError"
    assert not kept.logins


# ---- settings


def test_settings_are_read_from_the_environment() -> None:
    found = sinks(
        MTOK_METRICS_FILE="/tmp/mtok.prom",
        MTOK_WEBHOOK_URL="https://hooks.example/x",
        MTOK_MAIL_URL="smtp://user@mail.example?starttls=1",
        MTOK_MAIL_FROM="a@b.example",
        MTOK_MAIL_TO="c@d.example,",
        PATH="/bin",
    )
    assert found == Sinks(
        metrics_file=Path("/tmp/mtok.prom"),
        webhook=Webhook(url="https://hooks.example/x"),
        mail=Mail(
            host="mail.example",
            port=587,
            tls="starttls",
            user="user",
            password="",
            sender="a@b.example",
            recipients=("c@d.example",),
        ),
    )
    assert sinks() == sinks(MTOK_WEBHOOK_URL="", MTOK_MAIL_URL="") == Sinks()
    implicit = sinks(**mail_settings(1) | {"MTOK_MAIL_URL": "smtps://u:p@mail.example"}).mail
    assert implicit is not None
    assert (implicit.port, implicit.tls) == (465, "implicit")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MTOK_WEBHOOK_URL", "ftp://secret.example"),
        ("MTOK_WEBHOOK_URL", "https:///secret"),
        ("MTOK_WEBHOOK_URL", "http://hooks.example/secret"),
        ("MTOK_WEBHOOK_URL", "https://user:secret@hooks.example"),
        ("MTOK_WEBHOOK_URL", "https://hooks.example:secret/"),
        ("MTOK_MAIL_URL", "mail.example secret"),
        ("MTOK_MAIL_URL", "smtp://u:secret@mail.example"),
        ("MTOK_MAIL_URL", "smtp://u:secret@mail.example?starttls=0"),
        ("MTOK_MAIL_URL", "smtps://u:secret@mail.example?starttls=1"),
        ("MTOK_MAIL_URL", "smtps://u:secret%C3%A9@mail.example"),
        ("MTOK_MAIL_URL", "smtps://secret%C3%A9@mail.example"),
        ("MTOK_MAIL_FROM", ""),
        ("MTOK_MAIL_FROM", "secret"),
        ("MTOK_MAIL_TO", ","),
        ("MTOK_MAIL_TO", "a@b.example\nBcc: secret@b.example"),
    ],
)
def test_a_bad_setting_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(BadCall) as caught:
        sinks(**mail_settings(25) | {name: value})
    assert caught.value.code == "sink_setting"
    assert name in caught.value.found
    assert "secret" not in str(caught.value)


# ---- metrics


def test_the_metrics_file_is_read_back(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "mtok.prom"
    assert handed(store, [], sinks(MTOK_METRICS_FILE=str(path))) == [Delivery(sink="metrics", alarms=0)]
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }
    assert found == {
        ("mtok_last_run_timestamp_seconds",): at("2026-06-20 14:00:00") // 10**6,
        ("mtok_last_price_capture_timestamp_seconds",): at("2026-06-20 08:00:00") // 10**6,
        ("mtok_last_rankings_day_timestamp_seconds",): at("2026-06-19 00:00:00") // 10**6,
        ("mtok_log_entries",): 1_307,
        ("mtok_published_at_seconds",): at("2026-06-20 06:05:02") // 10**6,
        ("mtok_store_free_bytes",): 13_314_398_618,
        ("mtok_late", "stale_prices"): 1,
        ("mtok_late", "stale_rankings"): 0,
        ("mtok_late", "stale_prints"): 0,
        ("mtok_late", "publication_late"): 0,
        ("mtok_alarms", "stale_prices"): 1,
        ("mtok_alarms", "http_429"): 12,
        ("mtok_alarms", "price_dynamic"): 5,
        ("mtok_alarms", "price_jump"): 3,
        ("mtok_alarms", "restated"): 1,
        ("mtok_alarms", "slug_new"): 3,
        ("mtok_alarms", "volume_low"): 1,
        ("mtok_attempts_failed", "http_429"): 12,
        ("mtok_printed", "good", "openai"): 1,
        ("mtok_printed", "degraded", "google-gemini"): 1,
        ("mtok_printed", "good", "anthropic"): 1,
        ("mtok_printed", "estimated", "deepseek"): 1,
        ("mtok_printed", "withheld", "qwen"): 1,
    }
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mtok.prom", "store"]


def test_a_metrics_file_that_cannot_be_written_costs_no_other_sink(
    store: Store, tmp_path: Path, hook: Hook
) -> None:
    path = tmp_path / "missing" / "mtok.prom"
    metrics, web = handed(store, [JUMP], sinks(MTOK_METRICS_FILE=str(path), MTOK_WEBHOOK_URL=hook.url))
    assert metrics.failure == f"{path}: No such file or directory"
    assert web == Delivery(sink="webhook", alarms=1)


def test_without_sinks_nothing_is_delivered_or_written(store: Store) -> None:
    assert handed(store, [JUMP], Sinks()) == []
    assert not (store.path / "alarms").exists()


def test_the_log_is_told_once_as_well(store: Store) -> None:
    for expected in (2, 0):
        with capture_logs() as logged:
            handed(store, [LATE, JUMP, DYNAMIC], Sinks(log=True))
        alarms = [entry for entry in logged if entry["event"] == "alarm"]
        assert len(alarms) == expected
        assert all({"code", "subject", "found", "severity", "day"} <= entry.keys() for entry in alarms)

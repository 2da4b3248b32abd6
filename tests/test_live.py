"""The commands of the live day as processes, against `mtok replay` as a process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog import get_logger
from structlog.testing import capture_logs

from mtok.archive import Store
from mtok.calendar import parse_instant
from mtok.cli.timer import units
from mtok.day import SystemClock
from mtok.errors import EnvironmentFailed
from mtok.replay import Recording, ReplayClock
from mtok.watch import Alarm, Delivery, Sinks, Status
from mtok.watch.telling import tell
from replayed import WITHOUT_PANDAS
from watched import at, failed, store_of

MTOK = [sys.executable, "-m", "mtok"]
AT = "2026-06-20T02:05:00Z"


def mtok(
    *arguments: str | Path, key: str | None = "key", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MTOK_", "OPENROUTER_"))}
    env |= {"PYTHONPATH": WITHOUT_PANDAS} | ({"OPENROUTER_API_KEY": key} if key else {})
    return subprocess.run(
        [*MTOK, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=env | environment,
        check=False,
        timeout=120,
    )


@contextmanager
def replay(*arguments: str) -> Iterator[str]:
    """Yield the address of a replay of the sample, whose clock stands still at `AT`."""
    command = [*MTOK, "replay", "sample", "--at", AT, "--rate", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        process.stdout.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with replay() as found:
        yield found


def test_a_run_and_the_same_again(url: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = mtok("run", "--url", url, "--at", AT, "--store", store, "--json", "--log", "json")
    assert first.returncode == 0, first.stderr
    done = json.loads(first.stdout)
    assert [one["kind"] for one in done["collected"]["outcomes"]] == ["models", "rankings-daily"]
    assert (done["determined"]["first_date"], done["determined"]["records"]) == ("2026-06-19", 6)
    lines = [json.loads(line) for line in first.stderr.splitlines()]
    logged = [line for line in lines if line["event"] == "attempt"]
    assert [(line["event"], line["kind"], line["status"]) for line in logged] == [
        ("attempt", "models", 200),
        ("attempt", "rankings-daily", 200),
    ]
    again = json.loads(mtok("run", "--url", url, "--at", AT, "--store", store, "--json").stdout)
    assert [one["kind"] for one in again["collected"]["outcomes"]] == ["models"]
    status = mtok("status", "--at", "2026-06-20T02:06:00Z", "--store", store)
    assert status.returncode == 0
    assert "Nothing is late." in status.stdout
    late = mtok("status", "--at", "2026-06-20T05:06:00Z", "--store", store, "--json")
    assert late.returncode == 1
    assert [alarm["code"] for alarm in json.loads(late.stdout)["late"]] == ["stale_prices"]


def test_status_needs_no_observations_and_no_lock(url: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert mtok("run", "--url", url, "--at", AT, "--store", store).returncode == 0
    shutil.rmtree(store / "observations")
    shown = mtok("status", "--at", "2026-06-20T02:06:00Z", "--store", store)
    assert "newest day 19 Jun 2026" in shown.stdout
    with Store.open(store).writing():
        assert mtok("status", "--at", "2026-06-20T02:06:00Z", "--store", store).stdout == shown.stdout


def test_for_people_it_says_what_came(url: str, tmp_path: Path) -> None:
    found = mtok("collect", "--url", url, "--at", AT, "--store", tmp_path / "store", "--log", "off")
    assert found.stderr == ""
    assert re.fullmatch(
        r"prices       1 of 1 answer, [0-9,]+ bytes, 1 attempt\nrankings     1 of 1 answer, [0-9,]+ bytes, 1 attempt\n",
        found.stdout,
    )


def test_prices_are_captured_without_a_key(url: str, tmp_path: Path) -> None:
    found = mtok("collect", "--url", url, "--at", AT, "--store", tmp_path / "store", key=None)
    assert found.returncode == 2
    assert "Set OPENROUTER_API_KEY" in " ".join(found.stdout.split())
    assert "models" in (tmp_path / "store" / "captures" / "register.jsonl").read_text()


def test_what_upstream_refuses_ends_with_status_3_and_the_rest_is_kept(tmp_path: Path) -> None:
    with replay("--fault", "http_401") as url:
        found = mtok("run", "--url", url, "--at", AT, "--store", tmp_path / "store")
    assert found.returncode == 3
    assert "does not take this key" in " ".join(found.stdout.split())


def test_a_recorded_market_is_collected_at_each_of_its_instants(tmp_path: Path) -> None:
    store = tmp_path / "store"
    found = mtok("collect", "--replay", "sample", "--to", "2026-05-22", "--store", store, "--json")
    assert found.returncode == 0, found.stderr
    captures = [json.loads(line) for line in (store / "captures" / "register.jsonl").read_text().splitlines()]
    assert {capture["origin"] for capture in captures} == {"sample"}
    assert all(capture.get("origin_sha256") for capture in captures if capture["kind"] == "models")
    kinds = [capture["kind"] for capture in captures]
    instants = [one for one in Recording.sample().instants() if one < parse_instant("2026-05-23T00:00:00Z")]
    assert kinds.count("models") == len(instants) == 18
    assert kinds.count("rankings-daily") > 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["collect", "--at", AT], "clock_refused"),
        (["run", "--at", AT, "--url", "https://openrouter.ai/api/v1"], "clock_refused"),
        (["collect", "--from", "2026-06-01"], "dates_incomplete"),
        (["collect", "--url", "http://openrouter.ai/api/v1"], "url_refused"),
        (["collect", "--replay", "nowhere"], "path_missing"),
        (["collect", "--replay", "sample", "--at", AT], "options_conflict"),
        (["collect", "--replay", "sample", "--url", "http://127.0.0.1:1/"], "options_conflict"),
        (["collect", "--install-timer", "print", "--replay", "sample"], "options_conflict"),
        (["collect", "--install-timer", "print", "--url", "http://127.0.0.1:1/"], "options_conflict"),
        (["collect", "--install-timer", "print", "--at", AT], "options_conflict"),
        (["collect", "--install-timer", "print", "--from", "2026-06-01"], "options_conflict"),
        (["replay", "sample", "--fault", "boredom"], "replay_fault"),
    ],
)
def test_what_cannot_be_asked(arguments: list[str], code: str, tmp_path: Path) -> None:
    store = [] if arguments[0] == "replay" else ["--store", str(tmp_path / "store"), "--json"]
    found = mtok(*arguments, *store)
    assert found.returncode == 2
    assert not store or json.loads(found.stdout)["error"]["code"] == code
    assert found.stderr.startswith("mtok: ")
    assert code == "url_refused" or not (tmp_path / "store").exists()


def test_sinks_are_told_by_a_run_and_by_status(url: str, tmp_path: Path) -> None:
    metrics = tmp_path / "mtok.prom"
    store = tmp_path / "store"
    found = mtok(
        "run",
        "--url",
        url,
        "--at",
        AT,
        "--store",
        store,
        "--json",
        "--log",
        "off",
        MTOK_METRICS_FILE=str(metrics),
    )
    assert json.loads(found.stdout)["delivered"] == [{"sink": "metrics", "alarms": 0, "failure": None}]
    families = {family.name for family in text_string_to_metric_families(metrics.read_text())}
    assert {"mtok_last_run_timestamp_seconds", "mtok_store_free_bytes"} <= families
    metrics.unlink()
    mtok("status", "--deliver", "--store", store, MTOK_METRICS_FILE=str(metrics))
    assert metrics.exists()
    bad = mtok("run", "--url", url, "--at", AT, "--store", store, MTOK_WEBHOOK_URL="ftp://secret@example.org")
    assert bad.returncode == 2
    assert "MTOK_WEBHOOK_URL" in bad.stderr
    assert "secret" not in bad.stderr


def test_sinks_are_told_although_a_run_fails(url: str, tmp_path: Path) -> None:
    metrics, store = tmp_path / "mtok.prom", tmp_path / "store"
    assert mtok("run", "--url", url, "--at", AT, "--store", store).returncode == 0
    (store / "store.json").write_text("{}")
    month = store / "determinations" / "1.0" / "all" / "rankings-daily" / "qwen"
    shutil.rmtree(month)
    month.write_text("in the way")
    found = mtok("run", "--url", url, "--at", AT, "--store", store, MTOK_METRICS_FILE=str(metrics))
    assert found.returncode == 3, found.stderr
    assert metrics.exists()


def test_sinks_are_told_while_another_process_writes(url: str, tmp_path: Path) -> None:
    metrics, store = tmp_path / "mtok.prom", tmp_path / "store"
    assert mtok("run", "--url", url, "--at", AT, "--store", store).returncode == 0
    call = ["run", "--url", url, "--at", "2026-06-20T09:00:00Z", "--log", "json", "--json"]
    with Store.open(store).writing():
        found = mtok(*call, "--store", store, MTOK_METRICS_FILE=str(metrics))
    assert (found.returncode, json.loads(found.stdout)["error"]["code"]) == (3, "store_in_use")
    logged = [json.loads(line) for line in found.stderr.splitlines() if line.startswith("{")]
    assert "stale_prices" in [line.get("code") for line in logged if line["event"] == "alarm"]
    assert metrics.exists()


def test_that_nobody_could_be_told_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object) -> None:
        raise EnvironmentFailed("store_in_use", "the tables are being written")

    monkeypatch.setattr("mtok.watch.telling.watched", unreadable)
    with capture_logs() as logged, pytest.raises(EnvironmentFailed):
        tell(Store.create(tmp_path / "store"), SystemClock(), Sinks(log=True), get_logger())
    assert [(line["event"], line["code"]) for line in logged] == [("not_told", "store_in_use")]


def test_the_store_is_free_while_a_sink_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, free = Store.create(tmp_path / "store"), []

    def told(*_: object) -> list[Delivery]:
        with store.writing():
            free.append(True)
        return []

    monkeypatch.setattr("mtok.watch.telling.deliver", told)
    tell(store, SystemClock(), Sinks(log=True), get_logger())
    assert free == [True]


def test_sinks_are_handed_the_alarms_of_nine_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(tmp_path / "store", [failed("2026-06-14 12:00:00", "http_401")])
    handed: list[str] = []

    def told(store: Store, status: Status, alarms: list[Alarm], *_: object) -> list[Delivery]:
        assert "http_401" not in [alarm.code for alarm in status.open]
        handed.extend(alarm.code for alarm in alarms)
        return []

    monkeypatch.setattr("mtok.watch.telling.deliver", told)
    tell(store, ReplayClock(at("2026-06-20 12:00:00"), 0), Sinks(log=True), get_logger())
    assert "http_401" in handed


# ---- the timer


def shown(store: Path) -> dict[str, Any]:
    found = mtok("collect", "--install-timer", "print", "--store", store, "--json")
    assert found.returncode == 0, found.stderr
    content: dict[str, Any] = json.loads(found.stdout)
    return content


def test_the_units_are_what_systemd_takes(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("systemd-analyze is not on this machine: the units are not held against systemd itself")
    program = tmp_path / "mtok"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    store = tmp_path / 'a store, 5 % "quoted" $HOME'
    Store.create(store)
    for files in (shown(store)["files"], units(store, "/etc/mtok/environment", system=True)):
        for name, text in files.items():
            words = re.sub(r'ExecStart="[^"]*"', f'ExecStart="{program}"', text)
            (tmp_path / name).write_text(words)
        found = subprocess.run(
            [analyze, "verify", "--man=no", tmp_path / "mtok.timer", tmp_path / "mtok.service"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (found.returncode, found.stderr) == (0, "")
    calendar = subprocess.run(
        [analyze, "calendar", "--iterations=3", "--base-time=2026-06-20 23:51:00 UTC", "*-*-* *:5,50:00 UTC"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.findall(r"(\d\d:\d\d:\d\d) UTC", calendar.stdout)[-3:] == ["00:05:00", "00:50:00", "01:05:00"]


def test_the_key_is_in_no_unit(tmp_path: Path) -> None:
    content = shown(tmp_path / "store")
    assert "OnCalendar=*-*-* *:5,50:00 UTC" in content["files"]["mtok.timer"]
    assert '"run" "--store"' in content["files"]["mtok.service"]
    assert content["line"].startswith("5,50 * * * * ")
    assert "EnvironmentFile=-%h/.config/mtok/environment" in content["files"]["mtok.service"]


def test_the_system_timer_runs_as_the_owner_of_the_store(tmp_path: Path) -> None:
    store = tmp_path / "a 5 % $HOME" / "store"
    owner = tmp_path.owner()
    before = units(store, "/etc/mtok/environment", system=True)["mtok.service"].splitlines()
    assert {f"User={owner}", f'ReadWritePaths="{tmp_path}"', "ProtectSystem=strict"} <= set(before)
    assert {"PrivateTmp=yes", "NoNewPrivileges=yes"} <= set(before)
    Store.create(store)
    after = units(store, "/etc/mtok/environment", system=True)["mtok.service"].splitlines()
    assert f'ReadWritePaths="{tmp_path}/a 5 %% $HOME/store"' in after
    assert not [line for line in shown(store)["files"]["mtok.service"].splitlines() if "User=" in line]


def crontab_of(programs: Path, text: str) -> str:
    """Return a PATH that begins with a stand-in for crontab."""
    programs.mkdir(exist_ok=True)
    crontab = programs / "crontab"
    crontab.write_text(f"#!/bin/sh\n{text}\n")
    crontab.chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"


def test_a_crontab_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    table = tmp_path / "table"
    call = ["collect", "--install-timer", "cron", "--store", str(tmp_path / "store")]
    read = '[ "$1" = -l ] || exec cat > {table}; echo "{said}" >&2; exit 1'
    path = crontab_of(tmp_path / "bin", read.format(table=table, said="crontab: permission denied"))
    found = mtok(*call, PATH=path)
    assert found.returncode == 3
    assert "permission denied" in found.stderr
    assert not table.exists()
    crontab_of(tmp_path / "bin", read.format(table=table, said="no crontab for $LC_ALL"))
    assert mtok(*call, PATH=path, LC_ALL="C.UTF-8").returncode == 0
    assert len(table.read_text().splitlines()) == 1


def test_the_crontab_gets_one_line_a_store(tmp_path: Path) -> None:
    """A stand-in for crontab that keeps what it is given in a file, as the real one does in its spool."""
    programs = tmp_path / "bin"
    programs.mkdir()
    table = tmp_path / "table"
    table.write_text("0 0 * * * true\n")
    crontab = programs / "crontab"
    crontab.write_text(f'#!/bin/sh\nif [ "$1" = -l ]; then cat {table}; else cat > {table}; fi\n')
    crontab.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    home = {"PATH": path, "HOME": str(tmp_path)}
    for name in ("a", "b %", "b %", "a"):
        found = mtok("collect", "--install-timer", "cron", "--store", tmp_path / name, **home)
        assert found.returncode == 0, found.stderr
    settings = tmp_path / ".config" / "mtok" / "environment"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"HTTPS_PROXY=http://127.0.0.1:9\nPYTHONPATH={tmp_path}\n")
    (tmp_path / "sitecustomize.py").write_text("import time\ntime.sleep = lambda _: None\n")
    lines = table.read_text().splitlines()
    assert lines[0] == "0 0 * * * true"
    assert [line.rsplit("/", 1)[1] for line in lines[1:]] == [r"b \%", "a"]
    command = lines[1].split(" ", 5)[5].replace(r"\%", "%").split(" #")[0]
    ran = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, env={"PATH": path}
    )
    assert (tmp_path / "b %" / "store.json").exists(), ran.stderr
    assert (ran.stdout, ran.stderr) == ("", "")
    assert "attempt" in (tmp_path / ".mtok.log").read_text()


def test_units_are_installed_and_the_timer_started(tmp_path: Path) -> None:
    """A stand-in for systemctl that notes what it is told: no systemd runs where the tests do."""
    programs = tmp_path / "bin"
    programs.mkdir()
    systemctl = programs / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    systemctl.chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    found = mtok("collect", "--install-timer", "user", "--store", tmp_path / "store", **environment)
    assert found.returncode == 0, found.stderr
    units = tmp_path / ".config" / "systemd" / "user"
    assert sorted(path.name for path in units.iterdir()) == ["mtok.service", "mtok.timer"]
    told = (tmp_path / "told").read_text().splitlines()
    assert told == ["--user daemon-reload", "--user enable --now mtok.timer"]
    systemctl.write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
    failed = mtok("collect", "--install-timer", "user", "--store", tmp_path / "store", **environment)
    assert failed.returncode == 3
    assert "no bus" in failed.stderr
    assert "--install-timer print" in failed.stderr

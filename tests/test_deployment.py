"""The examples of deploy/ and the commands of the guide: everything they name exists in the program."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import click
import pytest
import typer.main

from mtok.cli.app import app
from mtok.venue.environment import Environment, VenueEnvironment

yaml: Any = pytest.importorskip("yaml")

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "deploy"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
DOCKERFILE: Final = (DEPLOY / "Dockerfile").read_text("utf-8")
GUIDE: Final = (ROOT / "docs" / "operations.md").read_text("utf-8")
UNITS: Final = sorted((DEPLOY / "systemd").iterdir())
OURS: Final = {name for name, service in COMPOSE["services"].items() if service["image"] == "mtok"}


def variables() -> set[str]:
    """Return the variables that the program reads, and that PostgreSQL's library does."""
    found = {f"MTOK_{name}".upper() for name in Environment.model_fields}
    found |= {
        f"MTOK_VENUE_{name}".upper() for name in VenueEnvironment.model_fields if name != "database_url"
    }
    return found | {"DATABASE_URL", "MTOK_HEAD", "PGPASSFILE"}


def refusal(words: list[str]) -> str:
    """Return why the program would not take a command, empty where it would; nothing is run."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("mtok", [], resilient_parsing=True)
    try:
        while isinstance(command, click.Group) or hasattr(command, "commands"):
            name, command, words = command.resolve_command(context, words)
            context = click.Context(command, parent=context, info_name=name)
        command.make_parser(context).parse_args(args=list(words))
        known = {one for parameter in command.params for one in parameter.opts}
        wrong = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
        return f"no option {wrong[0]}" if wrong else ""
    except Exception as error:
        return str(error) or type(error).__name__


def commands_in(text: str) -> list[list[str]]:
    """Return the commands of mtok in a shell script, each as its words."""
    joined = text.replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        for part in re.split(r"\s*(?:\||&&|;|\bdo\b)\s*", line.partition(" #")[0]):
            words = shlex.split(part) if re.match(r"([A-Z_]+=\S* )*(\S*/)?mtok ", part) else []
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words = words[1:]
            if words and words[0].rpartition("/")[2] == "mtok":
                found.append(words[1:])
    return found


def test_the_check_of_commands_sees_a_wrong_one() -> None:
    assert refusal(["venue", "grants", "mtok_venue"]) == ""
    assert refusal(["venue", "grant", "mtok_venue"])
    assert refusal(["serve", "--venues"])
    assert commands_in("A=b mtok run --log json | x\nwhile :; do mtok status; done") == [
        ["run", "--log", "json"],
        ["status"],
    ]


def test_every_command_of_the_guide_exists() -> None:
    scripts = re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.DOTALL)
    found = [words for script in scripts for words in commands_in(script)]
    assert len(found) >= 7
    assert {" ".join(words): refusal(words) for words in found if refusal(words)} == {}


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_service_runs_a_command_that_exists(name: str) -> None:
    service = COMPOSE["services"][name]
    entrypoint, command = service.get("entrypoint", ["mtok"]), list(map(str, service["command"]))
    scripts = (
        [command[0].replace("$$", "$")] if entrypoint[0] == "sh" else [shlex.join([*entrypoint, *command])]
    )
    found = [words for script in scripts for words in commands_in(script)]
    assert found
    assert [refusal(words) for words in found] == [""] * len(found)


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_of_a_service_is_read(name: str) -> None:
    assert set(COMPOSE["services"][name]["environment"]) <= variables()


@pytest.mark.parametrize("kind", ["volumes", "secrets", "networks"])
def test_what_services_share_is_what_is_declared(kind: str) -> None:
    used = set()
    for service in COMPOSE["services"].values():
        for one in service.get(kind, []):
            used.add(one["source"] if isinstance(one, dict) else one.partition(":")[0])
    assert used == set(COMPOSE[kind])


def test_the_signing_key_is_the_publishers_alone() -> None:
    holding = {
        name
        for name, service in COMPOSE["services"].items()
        if any(one.startswith("signing:") for one in service.get("volumes", []))
    }
    assert holding == {"publisher"}
    assert "signing:/srv/mtok/store/keys" in COMPOSE["services"]["publisher"]["volumes"]
    owners = {name for name, one in COMPOSE["services"].items() if "pgpass_owner" in one.get("secrets", [])}
    assert owners == {"setup"}
    assert {name: COMPOSE["services"][name]["user"] for name in OURS} == {
        "web": "mtok-venue",
        "worker": "mtok-venue",
        "setup": "mtok-venue",
        "publisher": "mtok-publish",
    }


def test_the_image_is_made_of_files_that_exist() -> None:
    sources = [
        word
        for line in re.findall(r"^COPY (.*)$", DOCKERFILE, flags=re.MULTILINE)
        for word in line.split()[:-1]
    ]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert "--require-hashes -r requirements/run.lock" in DOCKERFILE
    users = set(re.findall(r"useradd .* --user-group (\S+)", DOCKERFILE))
    assert users == {COMPOSE["services"][name]["user"] for name in OURS}
    folders = set(re.findall(r"/srv/mtok/\S+", DOCKERFILE))
    for name in OURS:
        for volume in COMPOSE["services"][name]["volumes"]:
            assert volume.split(":")[1] in folders


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_unit_runs_a_command_that_exists(path: Path) -> None:
    started = re.findall(r"^ExecStart=(.*)$", path.read_text("utf-8"), flags=re.MULTILINE)
    assert len(started) == (path.suffix == ".service")
    for line in started:
        [words] = commands_in(line)
        assert refusal(words) == ""


@pytest.mark.machine
def test_systemd_takes_every_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    for path in UNITS:
        text = path.read_text("utf-8").replace("/opt/mtok/bin/mtok", sys.executable)
        (tmp_path / path.name).write_text(text, "utf-8")
    for path in UNITS:
        done = subprocess.run(
            [program, "verify", "--man=no", tmp_path / path.name], capture_output=True, text=True, check=False
        )
        said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or path.stem in line]
        assert (done.returncode, said) == (0, []), done.stderr


def test_nginx_gives_each_host_its_own_addresses() -> None:
    """Every address of participants and of those who run the venue is on one host alone; the rest is on both."""
    import venues

    venues.configured()
    from mtok.venue import urls_venue
    from mtok.venue.accounts import urls_venue as accounts
    from mtok.venue.operators import urls as operators
    from mtok.venue.participants import urls as participants

    assert urls_venue.urlpatterns
    admins = [one for one in accounts.urlpatterns if one.name.startswith("admin_")]
    members = [one for one in accounts.urlpatterns if one not in admins]
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    closed = [set(one.split("|")) for one in re.findall(r"\^/venue/\(([a-z|]+)\)", text)]
    of_operators, of_participants = (
        {re.split(r"[/(?]", str(one.pattern).lstrip("^"))[0] for one in patterns}
        for patterns in ([*operators.urlpatterns, *admins], [*participants.urlpatterns, *members])
    )
    assert closed == [of_operators, of_participants | {"api"}]
    assert text.count("location = /metrics { return 404; }") == 3

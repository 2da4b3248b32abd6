"""The command line as a user meets it: what it prints where, how it fails, and what it imports."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from msgspec.structs import replace
from typer.main import get_command
from typer.testing import CliRunner, Result

from mtok import __version__
from mtok.archive import Store
from mtok.calendar import DAY, parse_date
from mtok.cli.app import app
from mtok.cli.failures import reported
from mtok.determination.folder import Determinations
from mtok.errors import BadInput
from mtok.records import decode_determination, point
from mtok.sources.sample import sample_responses
from test_rendering import today, withheld, yesterday

DOCUMENT = Path(__file__).parents[1] / "docs" / "cli.md"
SOURCES = Path(__file__).parents[1] / "src" / "mtok"
HEAVY = ("duckdb", "pyarrow", "numpy", "pandas", "django")
RECORDS = (yesterday(), today(), withheld())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with two records of openai and a withheld one of qwen."""
    opened = Store.create(tmp_path / "store")
    Determinations(opened, "1.0").write(RECORDS)
    return opened.path


def run(*arguments: str | Path, store: Path | None = None) -> Result:
    named = ["--store", str(store)] if store else []
    return CliRunner(env={"MTOK_STORE": None}).invoke(app, [*map(str, arguments), *named])


def process(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "mtok", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)


def on_a_terminal(*arguments: str | Path, **environment: str) -> str:
    """Return what the command writes to a terminal 120 columns wide."""
    master, slave = pty.openpty()
    known = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    terminal = {"TERM": "xterm-256color", "COLUMNS": "120", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "mtok", *map(str, arguments)]
    with subprocess.Popen(command, stdout=slave, env={**known, **terminal, **environment}) as running:
        os.close(slave)
        written = bytearray()
        while True:
            try:
                chunk = os.read(master, 65_536)
            except OSError:  # Linux says EIO when the other side has gone
                break
            if not chunk:
                break
            written += chunk
        running.wait()
    os.close(master)
    return written.decode().replace("\r\n", "\n")


# ---- what is printed where ----


def test_the_board_shows_the_latest_day(store: Path) -> None:
    result = run("board", store=store)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Print of 2 Jan 2026" in result.stdout
    assert "OpenAI fell 11.8 %" in result.stdout
    assert "Print of 1 Jan 2026" in run("board", "--date", "2026-01-01", store=store).stdout


def test_the_board_for_machines(store: Path) -> None:
    result = run("board", "--json", store=store)
    content = json.loads(result.stdout)
    assert result.stderr == ""
    assert content == {
        "date": "2026-01-02",
        "unit": "USD_PER_MTOK_OUTPUT",
        "methodology": "1.0",
        "volume_source": "rankings-daily",
        "points": [json.loads(json.dumps(point(record))) for record in RECORDS[1:]],
    }


def test_explain_for_machines_is_the_record_to_the_byte(store: Path) -> None:
    result = process("explain", "openai", "2026-01-02", "--json", "--store", store)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == RECORDS[1].canonical + b"\n"
    assert decode_determination(result.stdout).sha256 == RECORDS[1].sha256


def test_explain_prints_the_receipt(store: Path) -> None:
    result = run("explain", "openai", "2026-01-02", store=store)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("OpenAI · 2 Jan 2026 · ● good")
    assert RECORDS[1].sha256 in result.stdout


def test_a_move_is_shown_from_the_record_it_names_and_from_no_other(store: Path) -> None:
    assert "→ 50.0 %" not in run("explain", "openai", "2026-01-02", store=store).stdout
    move = RECORDS[1].move
    assert move
    named = today(move=replace(move, from_sha256=yesterday().sha256))
    Determinations(Store.open(store), "1.0").write([named])
    assert "60.0 % → 50.0 %" in run("explain", "openai", "2026-01-02", store=store).stdout


def test_explain_of_a_withheld_day_says_why_and_what_is_known(store: Path) -> None:
    result = run("explain", "qwen", "2026-01-02", store=store)
    assert (result.exit_code, result.stderr) == (1, "")
    assert (
        "qwen has no print for 2026-01-02: withheld, truncation exposure 0.83 above 0.50\n" in result.stdout
    )
    assert "market tail  models under the cut held 5.8 % of all tokens: 580" in result.stdout
    machine = run("explain", "qwen", "2026-01-02", "--json", store=store)
    assert machine.exit_code == 1
    assert machine.stdout.encode() == RECORDS[2].canonical + b"\n"
    assert machine.stderr.startswith(
        "mtok: qwen has no print for 2026-01-02: withheld, truncation exposure 0.83"
    )


def test_show_as_a_table(store: Path) -> None:
    result = run("show", "openai", store=store)
    assert result.stdout.splitlines()[:7] == [
        "OpenAI (openai)",
        "USD per 1M output tokens · methodology 1.0 · 1 Jan 2026 to 2 Jan 2026",
        "",
        "date           value      day  7-day  30-day   index  quality",
        "─" * 80,
        "2026-01-01  6.800000        –      –       –  100.00  ● good",
        "2026-01-02  6.000000  −11.8 %      –       –  100.00  ● good",
    ]


def test_show_for_machines_is_the_points(store: Path) -> None:
    result = run("show", "openai", "--json", store=store)
    content = json.loads(result.stdout)
    assert [content[name] for name in ("series", "unit", "methodology")] == [
        "openai",
        "USD_PER_MTOK_OUTPUT",
        "1.0",
    ]
    assert content["points"] == [json.loads(json.dumps(point(record))) for record in RECORDS[:2]]
    assert run("show", "openai", "--format", "json", store=store).stdout == result.stdout
    limited = run("show", "openai", "--from", "2026-01-02", "--to", "2026-01-02", "--json", store=store)
    assert [found["date"] for found in json.loads(limited.stdout)["points"]] == ["2026-01-02"]


def test_show_as_csv(store: Path) -> None:
    result = run("show", "qwen", "--format", "csv", store=store)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == list(point(RECORDS[2]))
    assert (rows[0]["value"], rows[0]["reasons"], rows[0]["token_weight"]) == ("", "truncation", "1000")


def test_show_as_parquet_has_real_types(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "openai.parquet"
    result = run("show", "openai", "--format", "parquet", "--out", out, store=store)
    assert (result.exit_code, result.stdout) == (0, "")
    table = pq.read_table(out)
    assert table.column_names == list(point(RECORDS[0]))
    kinds = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert kinds["date"] == "date32[day]"
    assert kinds["value"] == kinds["truncation_high"] == "decimal128(38, 6)"
    assert kinds["token_weight"] == kinds["average_7d_days"] == "int64"
    assert kinds["as_of"] == "timestamp[us, tz=UTC]"
    assert kinds["reasons"].startswith("list<")
    row = table.to_pylist()[0]
    assert (row["date"], row["value"], row["as_of"], row["reasons"]) == (
        date(2026, 1, 1),
        Decimal("6.800000"),
        None,
        [],
    )
    piped = process("show", "openai", "--format", "parquet", "--store", store)
    assert piped.stdout == out.read_bytes()


def test_parquet_does_not_go_to_a_terminal(store: Path) -> None:
    assert on_a_terminal("show", "openai", "--format", "parquet", "--json", "--store", store) == (
        '{"error": {"code": "format_conflict", "message": "--json and --format parquet at once", '
        '"remedy": "Give one of them."}}\n'
    )
    assert on_a_terminal("show", "openai", "--format", "parquet", "--store", store) == ""


def test_a_table_can_go_to_a_file(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "openai.txt"
    assert run("show", "openai", "--out", out, store=store).stdout == ""
    assert out.read_text(encoding="utf-8") == run("show", "openai", store=store).stdout


def test_as_of_reads_what_was_known_then(store: Path) -> None:
    later = today(as_of="2026-01-03T14:00:00Z", value="6.100000")
    Determinations(Store.open(store), "1.0").write([later])
    result = run("show", "openai", "--as-of", "2026-01-03T14:00:00Z", "--json", store=store)
    assert [found["value"] for found in json.loads(result.stdout)["points"]] == ["6.100000"]
    before = run("show", "openai", "--as-of", "2026-01-03T13:59:59Z", store=store)
    assert (before.exit_code, before.stderr.splitlines()) == (
        1,
        [
            "mtok: openai has no record as known at 2026-01-03T13:59:59Z",
            "There are others: leave out --as-of, or run `mtok determine` with the same --as-of.",
        ],
    )


# ---- which series is meant ----


def test_a_bare_id_means_the_only_source_that_has_it(tmp_path: Path) -> None:
    opened = Store.create(tmp_path / "house")
    house = today(series="house:openai", volume_source="house")
    Determinations(opened, "1.0").write([house])
    assert json.loads(run("show", "openai", "--json", store=opened.path).stdout)["series"] == "house:openai"
    assert "OpenAI (house)" in run("board", store=opened.path).stdout
    Determinations(opened, "1.0").write([today(series="other:openai", volume_source="other")])
    several = run("show", "openai", store=opened.path)
    assert (several.exit_code, several.stderr) == (
        2,
        "mtok: several volume sources have openai\nName one: house:openai, other:openai.\n",
    )
    assert "OpenAI (other)" in run("board", "--volume-source", "other", store=opened.path).stdout
    assert "volume source 'unnamed' among house, other" in run("board", store=opened.path).stderr
    Determinations(opened, "1.0").write([today()])
    assert json.loads(run("show", "openai", "--json", store=opened.path).stdout)["series"] == "openai"


def test_an_unknown_series_is_told_which_there_are(store: Path) -> None:
    result = run("explain", "opnai", "2026-01-02", store=store)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "mtok: series 'opnai' is unknown\n"
        "Did you mean openai? Known: anthropic, deepseek, google-gemini, moonshot, openai, qwen.\n"
    )


# ---- how it fails ----


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("show", "openai", "--from", "2026-01-02", "--to", "2026-01-01"), 2, "dates_out_of_order"),
        (("determine", "--from", "2026-01-02", "--to", "2026-01-01"), 2, "dates_out_of_order"),
        (("explain", "openai", "2026-1-2"), 2, "date_invalid"),
        (("board", "--date", "2026-02-30"), 2, "date_invalid"),
        (("board", "--as-of", "2026-01-02"), 2, "instant_invalid"),
        (("show", "nobody"), 2, "series_unknown"),
        (("show", "openai", "--format", "csv"), 2, "format_conflict"),
        (("determine", "--volume-source", "nobody"), 2, "volume_source_unknown"),
        (("explain", "openai", "2030-01-01"), 1, "no_record"),
        (("explain", "moonshot", "2026-01-02"), 1, "no_record"),
        (("board", "--date", "2030-01-01"), 1, "no_record"),
        (("determine",), 1, "no_volumes"),
    ],
)
def test_each_error_has_its_code_and_status(
    arguments: tuple[str, ...], status: int, code: str, store: Path
) -> None:
    result = run(*arguments, "--json", store=store)
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"]) == (status, code)
    assert result.stderr.splitlines() == [f"mtok: {error['message']}", error["remedy"]]


def test_a_day_without_a_record_is_told_which_days_there_are(store: Path) -> None:
    assert run("explain", "openai", "2030-01-01", store=store).stderr == (
        "mtok: openai has no record of 2030-01-01\n"
        "There are records of 2 days from 2026-01-01 to 2026-01-02; `mtok determine` makes more.\n"
    )


def test_without_a_store_the_user_is_told_how_to_name_one(store: Path, tmp_path: Path) -> None:
    result = run("board")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (2, "mtok: no store is named")
    assert run("board", store=tmp_path / "nowhere").exit_code == 2
    assert process("board", MTOK_STORE=str(store)).returncode == 0


def test_usage_errors_are_bad_calls() -> None:
    for arguments in (
        ("nothing",),
        ("explain", "openai"),
        ("board", "--nothing"),
        ("show", "x", "--format", "pdf"),
    ):
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "Error: " in result.stderr


def _failing(error: BaseException) -> Callable[..., None]:
    @reported
    def command(*, store: Path | None = None, as_json: bool = False) -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BadInput("bad", "what was found", "What to do."), 2, "mtok: what was found\nWhat to do.\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted: nothing lost; run the same command again\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/full/a"),
            3,
            "mtok: /full/a: No space left on device\n"
            "Free some space there and run the same command again; nothing is half written.\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/closed/a"),
            3,
            "mtok: /closed/a: Permission denied\nGive this user the permission, or name a store elsewhere.\n",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "/mnt/a"),
            3,
            "mtok: /mnt/a: Read-only file system\n"
            "That file system is read-only: mount it writable, or name a store elsewhere.\n",
        ),
        (
            ZeroDivisionError("division\nby zero"),
            3,
            "mtok: internal error: ZeroDivisionError: division by zero\n"
            "Please report it, with what MTOK_DEBUG=1 shows of the same command.\n",
        ),
    ],
)
def test_every_failure_is_one_sentence_and_a_remedy(
    error: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as left:
        _failing(error)(store=Path("s"))
    assert (left.value.exit_code, capsys.readouterr()) == (status, ("", said))


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTOK_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        _failing(ZeroDivisionError())()


@pytest.fixture
def month(store: Path) -> Path:
    """The store with so many records that they do not fit a buffer."""
    Determinations(Store.open(store), "1.0").write([today(date=f"2026-01-{day:02d}") for day in range(3, 32)])
    return store


@pytest.mark.parametrize("arguments", [("board",), ("show", "openai", "--json")])
def test_a_full_disk_behind_standard_output_is_told(arguments: tuple[str, ...], month: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "mtok", *arguments, "--store", str(month)]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (result.returncode, result.stderr.decode().splitlines()) == (
        3,
        [
            f"mtok: standard output or store {month}: No space left on device",
            "Free some space there and run the same command again; nothing is half written.",
        ],
    )


@pytest.mark.parametrize("arguments", [("board",), ("show", "openai", "--json")])
def test_a_reader_that_has_gone_is_no_error(arguments: tuple[str, ...], month: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "mtok", *arguments, "--store", str(month)]
    result = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (result.returncode, result.stderr) == (141, b"")


# ---- colour, width, encoding ----


def test_no_colour_when_piped(store: Path) -> None:
    for arguments in (("board",), ("explain", "openai", "2026-01-02"), ("show", "openai")):
        assert b"\x1b" not in process(*arguments, "--store", store, FORCE_COLOR="1").stdout


def test_a_terminal_gets_colour_and_at_most_100_columns(store: Path) -> None:
    coloured = on_a_terminal("board", "--store", store)
    plain = on_a_terminal("board", "--store", store, NO_COLOR="1")
    assert "\x1b[" in coloured
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert max(map(len, plain.splitlines())) == 100


def test_ascii_streams_get_ascii(store: Path) -> None:
    shown = process("board", "--store", store, PYTHONIOENCODING="ascii").stdout
    plain = process("board", "--store", store, PYTHONIOENCODING="utf-8").stdout.decode()
    assert shown.isascii()
    assert [len(line) for line in shown.decode().splitlines()] == [len(line) for line in plain.splitlines()]


# ---- what is imported ----


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("board",),
        ("explain", "openai", "2026-01-02"),
        ("show", "openai"),
        ("show", "openai", "--json"),
        ("show", "openai", "--format", "csv"),
    ],
)
def test_reading_imports_nothing_heavy(arguments: tuple[str, ...], store: Path) -> None:
    program = (
        "import sys, atexit\n"
        f"atexit.register(lambda: sys.stderr.write(' '.join(n for n in {HEAVY!r} if n in sys.modules)))\n"
        "from mtok.cli import main\n"
        "main()\n"
    )
    environment = {**os.environ, "MTOK_STORE": str(store)}
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, env=environment, check=False
    )
    assert (result.returncode, result.stderr) == (0, b"")


# ---- the whole way ----


def test_determine_says_what_it_did(tmp_path: Path) -> None:
    opened = Store.create(tmp_path / "store")
    last = parse_date("2026-05-22") * DAY
    first_pull = next(response for response in sample_responses() if response.volume_source)
    with opened.writing():
        chosen = [response for response in sample_responses() if response.captured_at < last]
        assert all(new for _, new in opened.archive([*chosen, first_pull]))
    result = run("determine", "--to", "2026-05-21", "--json", store=opened.path)
    assert json.loads(result.stdout) == {
        "volume_source": "rankings-daily",
        "first_date": "2026-05-20",
        "last_date": "2026-05-21",
        "records": 12,
        "withheld": 0,
        "files_changed": 6,
        "because": "asked for",
        "causes": [],
    }
    assert run("determine", "--to", "2026-05-21", store=opened.path).stdout.splitlines()[:2] == [
        "determined   12 records for 2026-05-20 to 2026-05-21 from volumes of",
        "             rankings-daily (asked for); 0 withheld; 0 files changed",
    ]
    assert "bundled sample" in run("board", store=opened.path).stdout
    unknown = run("determine", "--methodology", "9", store=opened.path)
    assert (unknown.exit_code, unknown.stderr) == (
        2,
        "mtok: methodology '9' is unknown\nKnown: 1.0, completion-1.0.\n",
    )


def test_import_takes_what_it_can_and_says_what_it_cannot(tmp_path: Path) -> None:
    folder, target = tmp_path / "responses", tmp_path / "store"
    folder.mkdir()
    models = next(response for response in sample_responses() if response.kind == "models")
    (folder / "2026-05-12T005351Z.json").write_bytes(models.raw)
    (folder / "settings.json").write_text('{"colour": "blue"}', encoding="utf-8")
    result = run("import", folder, store=target)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == ["captures     1 new, 0 already known", "kinds        models 1"]
    assert re.search(r"^left out     .*settings\.json", result.stdout, re.MULTILINE)
    assert result.stdout.endswith(f"determine the days they allow:\n  mtok determine --store {target}\n")
    undated = tmp_path / "undated.json"
    undated.write_bytes(models.raw)
    again = run("import", folder, undated, "--json", store=target)
    content = json.loads(again.stdout)
    assert (again.exit_code, content["captures_new"], content["captures_known"]) == (2, 0, 1)
    codes = [(refused["code"], refused["left_out"]) for refused in content["refused"]]
    assert codes == [("kind_unknown", True), ("captured_at_unknown", False)]
    dated = run(
        "import", undated, "--captured-at", "2026-05-13T00:00:00Z", "--collector", "archive", store=target
    )
    assert (dated.exit_code, dated.stdout.splitlines()[0]) == (0, "captures     1 new, 0 already known")
    missing = run("import", tmp_path / "nothing", "--json", store=target)
    assert (missing.exit_code, json.loads(missing.stdout)["error"]["code"]) == (2, "path_missing")


def test_the_commands_that_the_demonstration_proposes_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    result = run("demo")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Print of 26 Jun 2026 · methodology 1.0 · final · as known" in result.stdout
    assert max(map(len, result.stdout.split("The store is at")[0].splitlines())) == 80
    proposed = [shlex.split(line) for line in result.stdout.splitlines() if line.startswith("  mtok ")]
    assert [command[1] for command in proposed] == ["demo", "explain", "show", "evidence", "verify"]
    for _, *arguments in proposed[1:]:  # the pages are served until interrupted, tests/test_serving.py
        assert run(*arguments).exit_code == 0


# ---- what is documented ----


def test_version() -> None:
    assert run("--version").stdout == f"mtok {__version__}\n"


def _commands() -> dict[str, list[str]]:
    """Every command with its options; those of a group under its name and theirs, `keys new`."""
    found = dict(get_command(app).commands)  # type: ignore[attr-defined]
    for name, command in list(found.items()):
        if members := getattr(command, "commands", None):
            del found[name]
            found |= {f"{name} {member}": one for member, one in members.items()}
    return {
        name: [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
        for name, command in found.items()
    }


@pytest.mark.parametrize("command", sorted(_commands()))
def test_every_help_text_has_an_example(command: str) -> None:
    text = run(*command.split(), "--help").stdout
    assert f"Example: mtok {command}" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_the_reference_names_every_command_and_option() -> None:
    parts = re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    documented = {part.split("\n", 1)[0].strip("`").removeprefix("mtok "): part for part in parts}
    for name, options in _commands().items():
        command = name.partition(" ")[0]
        assert command in documented
        missing = [
            option
            for option in options
            if f"`{option}" not in documented[command] + documented["Common options"]
        ]
        assert not missing, (command, missing)


def test_the_reference_names_every_error_code() -> None:
    raised = re.compile(r"(?:AnswerIsNo|BadCall|BadInput|EnvironmentFailed)\(\s*\"([a-z_]+)\"")
    codes = {
        code for path in SOURCES.rglob("*.py") for code in raised.findall(path.read_text(encoding="utf-8"))
    }
    text = DOCUMENT.read_text(encoding="utf-8")
    assert not sorted(code for code in codes if f"`{code}`" not in text)

"""`mtok mcp` as an agent meets it: a program of its own, spoken to over standard input and output."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import stamina
from mcp import Client, StdioServerParameters, stdio_client
from typer.testing import CliRunner

from mtok import agents, client
from mtok.cli.app import app

TOOLS = ["list_series", "get_series", "explain_move", "get_point"]
DOCUMENT = Path(__file__).parents[1] / "docs" / "agents.md"

Session = Callable[[Client], Awaitable[None]]


def talk(session: Session, *arguments: str) -> None:
    """Start `mtok mcp` and hold a session with it."""

    async def held() -> None:
        server = StdioServerParameters(command=sys.executable, args=["-m", "mtok", "mcp", *arguments])
        async with Client(stdio_client(server)) as opened:
            await session(opened)

    asyncio.run(held())


async def ask(opened: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await opened.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    found: dict[str, Any] = answer.structured_content or {}
    return found


def listed(store: Path, series: str) -> list[dict[str, Any]]:
    text = (store / "publication" / "series" / f"{series}.json").read_text()
    found: list[dict[str, Any]] = json.loads(text)["points"]
    return found


def test_an_agent_lists_gets_explains_and_holds_a_proof(published_sample: Path) -> None:
    points = {point["date"]: point for point in listed(published_sample, "openai")}
    publication = published_sample / "publication"

    async def session(opened: Client) -> None:
        tools = {tool.name: tool for tool in (await opened.list_tools()).tools}
        assert list(tools) == TOOLS
        for tool in tools.values():
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint
            assert not tool.annotations.destructive_hint
            assert tool.description
            assert tool.output_schema is not None
            for schema in (tool.input_schema, tool.output_schema):
                jsonschema.Draft202012Validator.check_schema(schema)
            assert all("description" in json.dumps(part) for part in tool.input_schema["properties"].values())
        assert "USD per 1M output tokens" in (opened.instructions or "")

        answers = {
            "list_series": await ask(opened, "list_series"),
            "get_series": await ask(opened, "get_series", series="openai", start="2026-06-20"),
            "explain_move": await ask(
                opened, "explain_move", series="openai", date0="2026-06-19", date1="2026-06-20"
            ),
            "get_point": await ask(opened, "get_point", series="openai", date="2026-06-20"),
        }
        for name, answer in answers.items():
            jsonschema.validate(answer, tools[name].output_schema or {})
            assert answer["warning"] is None

        first = answers["list_series"]["series"][0]
        assert (first["series"], first["company"], first["first_date"]) == ("openai", "OpenAI", "2026-05-20")
        assert first["latest"]["value"] == points["2026-06-26"]["value"]

        got = answers["get_series"]
        assert (got["unit"], got["more_from"]) == ("USD per 1M output tokens", None)
        expected = [point for date, point in points.items() if date >= "2026-06-20"]
        assert [{name: point[name] for name in got["points"][0]} for point in expected] == got["points"]

        record = json.loads((publication / "records/openai/2026-06-20.0.json").read_text())
        move = answers["explain_move"]
        for name in ("change", "price", "mix", "entry", "exit"):
            assert move[name] == record["move"][name]
        assert len(move["constituents"]) == len(record["move"]["constituents"])

        point = answers["get_point"]
        assert [row["constituent"] for row in point["constituents"]] == [
            row["constituent"] for row in record["constituents"]
        ]
        assert point["record_sha256"] == points["2026-06-20"]["record_sha256"]
        assert point["proof"] == (publication / "proofs/openai/2026-06-20.0.tlog-proof").read_text()
        assert point["said"].startswith("OpenAI fell 15.0")
        assert "posted prices did not change" in point["said"]
        assert point["verify"].startswith("mtok verify ")

        morning = {"series": "openai", "date": "2026-06-25", "as_of": "2026-06-26T08:00:00Z"}
        withheld = await ask(opened, "get_point", **morning)
        assert (withheld["point"]["stage"], withheld["point"]["value"]) == ("prelim", None)
        assert withheld["said"].startswith("OpenAI has no print")

    talk(session, "--store", str(published_sample))


REFUSED = [
    ("get_series", {"series": "x"}, "series_unknown: no series 'x'. There are openai, google-gemini"),
    ("get_series", {"series": "../vkey"}, "series_unknown"),
    ("get_series", {"series": "openai", "start": "June"}, "date_invalid: start: 'June' is not a date."),
    ("get_series", {"series": "openai", "start": "2026-06-20", "end": "2026-06-01"}, "dates_out_of_order"),
    ("get_series", {"series": "openai", "as_of": "noon"}, "instant_invalid"),
    ("get_point", {"series": "openai", "date": "2030-01-01"}, "not_published"),
    (
        "explain_move",
        {"series": "openai", "date0": "2026-06-20", "date1": "2026-06-20"},
        "dates_out_of_order",
    ),
    ("get_point", {"series": "openai"}, "date\n  Field required"),
    ("delete_series", {"series": "openai"}, "Unknown tool: delete_series"),
]


def test_a_refused_call_is_an_error_with_code_and_remedy(site: str) -> None:
    async def session(opened: Client) -> None:
        for tool, arguments, expected in REFUSED:
            answer = await opened.call_tool(tool, arguments)
            assert answer.is_error, (tool, arguments)
            text = str(getattr(answer.content[0], "text", ""))
            assert expected in text
            assert "Traceback" not in text
        assert (await ask(opened, "list_series"))["source"] == f"{site}/"

    talk(session, "--url", site)


def test_a_long_series_comes_in_parts(published_sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "POINTS_MAX", 20)
    tools = agents.Tools(client.Client(published_sample))
    first = tools.get_series("openai")
    assert len(first.points) == 20
    assert first.more_from is not None
    rest = tools.get_series("openai", start=first.more_from.isoformat())
    assert (len(rest.points), rest.more_from) == (18, None)
    assert [point.value for point in first.points + rest.points] == [
        point["value"] for point in listed(published_sample, "openai")
    ]


def test_the_documentation_names_every_tool_and_argument() -> None:
    text = DOCUMENT.read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", text, re.MULTILINE))
    assert list(rows) == TOOLS
    server = agents.server(client=None)  # type: ignore[arg-type]
    for tool in asyncio.run(server.list_tools()):
        assert re.findall(r"`(\w+)`", rows[tool.name]) == list(tool.input_schema["properties"])


def test_without_the_extra_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtok.cli.agent.find_spec", lambda _: None)
    ran = CliRunner().invoke(app, ["mcp", "--store", "anywhere"])
    assert ran.exit_code == 2
    assert "pip install 'mtok[mcp]'" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no store is named"),
        (["--store", "nowhere"], "holds no log/checkpoint"),
        (["--url", "ftp://example.org"], "refused"),
        (["--url", "https://index.example.org", "--store", "store"], "--url beside --store"),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused(arguments: list[str], said: str) -> None:
    ran = CliRunner(env={"MTOK_STORE": None}).invoke(app, ["mcp", *arguments])
    assert ran.exit_code == 2
    assert said in ran.stderr
    assert not ran.stdout


def test_an_address_that_nobody_answers_at_is_told_at_the_start(tmp_path: Path) -> None:
    with stamina.set_testing(True, attempts=1):
        ran = CliRunner(env={"XDG_CACHE_HOME": str(tmp_path)}).invoke(
            app, ["mcp", "--url", "http://127.0.0.1:1"]
        )
    assert ran.exit_code == 3
    assert "127.0.0.1:1/latest.json did not come" in ran.stderr
    assert not ran.stdout


def test_starting_the_command_line_imports_no_mcp() -> None:
    script = "import sys, mtok.cli.app; print([name for name in ('mcp', 'pydantic') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert ran.stdout == "[]\n"

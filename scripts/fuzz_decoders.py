"""Coverage-guided fuzzing of what reads a server's bytes: the three decoders, and the transport beneath them.

usage: fuzz_decoders.py models|rankings|endpoints|transport [--seconds N] [--folder FOLDER]
       fuzz_decoders.py TARGET --input FILE      say what is wrong with the reading of one input

atheris, which is no dependency of the program or its tests, mutates the named faults of tests/faults and some rows of
the recorded responses, where there are any; most inputs are changed as JSON, the rest as bytes. After each input the
oracles of tests/oracles.py compare what was read with a second reading. `make fuzz SECONDS=600` installs atheris into
.venv and runs the four one after the other. The run stops at the first objection and says how to see it again.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import atheris

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

with atheris.instrument_imports(include=["mtok"]):
    import httpx2

    from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS
    from mtok.calendar import SECOND, format_instant, parse_instant
    from mtok.sources import attempts, files
    from oracles import Literal, NotRead, microseconds, objections, strict, written

FAULTS = ROOT / "tests" / "faults"
RECORDINGS = ROOT.parent / "shared" / "data" / "openrouter"
CAPTURED_AT = parse_instant("2026-07-01T00:00:00Z")
INPUT_BYTES_MAX = 8_192
UNPACKED_MAX = 4_096
HOUR = 3600 * SECOND
NOT_AFTER = parse_instant("9999-01-01T00:00:00Z")

KINDS = {"models": KIND_MODELS, "rankings": KIND_RANKINGS, "endpoints": KIND_ENDPOINTS}
RECORDED = {"models": ("models", "models-drift"), "rankings": ("rankings-daily", "rankings-drift")}

VALUES = [
    *("null", "true", "false", "0", "-0", "-1", "1", "1.5", "1e400", "1E-7", "[]", "{}", "[[]]", '{"": ""}'),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "1" * 45, "9" * 4_400),
    *("NaN", "Infinity", "-Infinity", '{"a":1,"a":2}', "[" * 31 + "]" * 31, "[" * 40 + "]" * 40, "01", "+1"),
    *(
        '""',
        '"0"',
        '"-0"',
        '"0.0"',
        '"0e99"',
        '"-1"',
        '"-1e-30"',
        '"NaN"',
        '"sNaN"',
        '"Infinity"',
        '"+1"',
        '"1."',
    ),
    *(
        '".5"',
        '"1_0"',
        '"0x1"',
        '"１２"',
        '"٣"',
        '" 0.000001"',
        '"0.000001\\n"',
        '"0,1"',
        '"1e-18"',
        '"5e-19"',
    ),
    *('"5.1e-19"', '"1.5e-18"', '"2.5e-18"', '"0.001"', '"1e-3"', '"0.0010000000000000001"', '"9"', '"9.1"'),
    *('"0.0000004"', '"999999999999e99"', '"1e999999999"', '"0.' + "0" * 29 + '1"', '"0.' + "0" * 30 + '1"'),
    *('"9223372036854775807"', '"9223372036854775808"', '"99999999999999999999"', '"007"', '"other"'),
    *('"a/b"', '"A/b"', '"a/b:free"', '"a/b:standard"', '"a/b:c:d"', '"~a/b"', '"а/b"', '"a/b\\n"', '"a//b"'),
    *('"2026-06-17"', '"2026-06-31"', '"0000-01-01"', '"9999-12-31"', '"2026-W25-3"', '"20260617"'),
    *(
        '"2026-06-18T08:20:44.552Z"',
        '"2999-01-01T00:00:00Z"',
        '"0001-01-01T00:00:00Z"',
        '"2026-06-18T24:00:00Z"',
    ),
    *(
        '"\\ud800"',
        '"\\udfff\\ud800"',
        '"\\u0000"',
        '"\\u202e"',
        '"' + "x" * 300 + '"',
        "1260",
        "2359",
        "2400",
        "2401",
    ),
    '[{"utc_start":2200,"utc_end":400,"completion":"0.0000003"}]',
    '[{"utc_start":1800,"utc_end":0,"min_prompt_tokens":1000,"completion":"0.0000003"}]',
    '[{"utc_start":100}]',
]
"""JSON texts to stand in for a value, and texts that are no JSON."""

KEYS = [
    [
        "id",
        "canonical_slug",
        "created",
        "pricing",
        "architecture",
        "provider_name",
        "tag",
        "status",
        "endpoints",
    ],
    [
        "completion",
        "prompt",
        "request",
        "image",
        "web_search",
        "discount",
        "overrides",
        "audio",
        "unknown",
        "\ud800",
    ],
    ["utc_start", "utc_end", "min_prompt_tokens", "completion", "prompt", "image", "unknown", "overrides"],
    ["output_modalities", "modality", "tokenizer"],
    ["date", "model_permaslug", "total_tokens"],
    ["as_of", "start_date", "end_date", "version"],
    ["data", "meta", "unresolved", "links", "", "é", 'a":', "reason"],
]
"""Keys that stand together in one object."""

TIMES = [
    "0",
    "1",
    "59",
    "60",
    "100",
    "900",
    "1260",
    "1800",
    "2359",
    "2360",
    "2400",
    "2401",
    "-1",
    "true",
    "1.5",
    '"9"',
    "null",
]

Place = tuple[Any, Any]
"""A list or object and a position or key of it."""


# ---- changing an input


def places(content: Any) -> Iterator[Place]:
    """Yield every place of a value below `content`."""
    keys = content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys:
        yield content, key
        yield from places(content[key])


def digits(chance: random.Random) -> str:
    """Return a text that is nearly always in the grammar of prices, as JSON."""
    text = str(chance.choice([0, 0, 0, 1, 9, chance.randrange(10 ** chance.randrange(1, 13))]))
    if chance.random() < 0.8:
        text += "." + "0" * chance.randrange(26) + str(chance.randrange(10 ** chance.randrange(1, 8)))
    if chance.random() < 0.4:
        text += f"{chance.choice('eE')}{chance.choice(['', '+', '-'])}{chance.randrange(100)}"
    return json.dumps(chance.choice(["", "", "", "-"]) + text)


def overrides(chance: random.Random) -> str:
    """Return overrides by time, by prompt length and by both, most of them sound."""
    found = []
    for _ in range(chance.choice([1, 1, 2, 3, 4])):
        fields = {}
        if chance.random() < 0.8:
            fields |= {"utc_start": chance.choice(TIMES[:9]), "utc_end": chance.choice(TIMES[:9])}
        if chance.random() < 0.3:
            fields["min_prompt_tokens"] = chance.choice(
                ["1", "200000", "0", "-5", "9223372036854775808", '"1"']
            )
        for name in chance.sample(KEYS[1], chance.randrange(4)):
            fields[name] = digits(chance)
        if chance.random() < 0.2:
            fields[chance.choice(KEYS[2])] = chance.choice([*TIMES, *VALUES])
        found.append("{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in fields.items()) + "}")
    return f"[{','.join(found)}]"


def replaced(value: Any, others: list[Place], chance: random.Random) -> Any:
    """Return what takes the place of a value: a nasty one, a price, one from elsewhere, or its own text changed."""
    match chance.randrange(5):
        case 0:
            return Literal(digits(chance))
        case 1:
            holder, key = chance.choice(others)
            return deepcopy(holder[key])
        case 2 if isinstance(value, str) and value:
            before = value.encode("utf-8", "surrogatepass")
            return atheris.Mutate(before, len(before) + 4).decode("utf-8", "replace")
        case 3 if type(value) is int:
            return value + chance.choice([-1, 1, 41, -value, 2**63 - value])
        case _:
            return Literal(chance.choice(VALUES))


def neighbour(holder: dict[str, Any], chance: random.Random) -> str:
    """Return a key that may stand in an object beside those it has."""
    groups = [keys for keys in KEYS if holder.keys() & set(keys)] or KEYS
    return chance.choice(chance.choice(groups))


def change(content: Any, chance: random.Random) -> None:
    """Change one thing of a tree in place."""
    found = list(places(content))
    if not found:
        return
    holder, key = chance.choice(found)
    match chance.randrange(8):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[neighbour(holder, chance)] = Literal(chance.choice(VALUES))
        case 6 if isinstance(holder, dict) and holder.keys() & {"prompt", "completion", "overrides"}:
            holder["overrides"] = Literal(overrides(chance))
        case 1 | 2 if isinstance(holder, list):
            holder.insert(chance.randrange(len(holder) + 1), deepcopy(holder[key]))
        case 3 if isinstance(holder, list):
            holder.insert(chance.randrange(len(holder)), holder.pop(key))
        case 4 if isinstance(holder[key], dict) and holder[key]:
            name, text = chance.choice(list(holder[key])), written(holder[key])
            holder[key] = Literal(f"{text[:-1]},{json.dumps(name)}:{chance.choice(VALUES)}}}")
        case 5 if isinstance(holder, dict):
            holder[neighbour(holder, chance)] = holder.pop(key)
        case _:
            holder[key] = replaced(holder[key], found, chance)


def changed_json(raw: bytes, size_max: int, seed: int) -> bytes:
    """Return the input changed as JSON, or as bytes where it is none and one time in five."""
    chance = random.Random(seed)
    try:
        content = strict(raw)
    except NotRead:
        return bytes(atheris.Mutate(raw, size_max))
    if chance.random() < 0.2:
        return bytes(atheris.Mutate(raw, size_max))
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        change(content, chance)
    text = written(content)
    if chance.random() < 0.1:
        text = text.replace('":', chance.choice(['" :', '":\n', '"\t:']))
    found = text.encode()
    return found if len(found) <= size_max else bytes(atheris.Mutate(raw, size_max))


def changed_transport(raw: bytes, size_max: int, seed: int) -> bytes:
    """Return the input changed as bytes, or what it is packed from changed and packed again."""
    chance = random.Random(seed)
    if raw.startswith(b"\x1f\x8b") and chance.random() < 0.5:
        try:
            inner = gzip.decompress(raw)[:UNPACKED_MAX]
        except (OSError, EOFError, zlib.error):
            return bytes(atheris.Mutate(raw, size_max))
        many = chance.choice([1, 1, 1, 400])
        packed = gzip.compress(bytes(atheris.Mutate(inner, UNPACKED_MAX)) * many, mtime=0)
        return (
            packed[:size_max]
            + chance.choice([b"", b"", packed[:40], b"\0\0"])[: max(0, size_max - len(packed))]
        )
    return bytes(atheris.Mutate(raw, size_max))


# ---- what must hold of the transport


def transport_objections(raw: bytes) -> list[str]:
    """Return what is wrong with how bytes are unpacked and recognised, and how headers are read."""
    wrong = []
    kept, seen = files.unpacked(raw, UNPACKED_MAX)
    try:
        whole = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    except (OSError, EOFError, zlib.error):
        whole = None
    if whole is None or (raw.startswith(b"\x1f\x8b") and len(whole) > UNPACKED_MAX):
        wrong += ["a gzip that cannot be unpacked within its cap is not kept as it came"] * (kept != raw)
    elif (kept, seen) != (whole, whole):
        wrong.append("a sound response is not kept as it was packed")
    if raw.startswith(b"\x1f\x8b") and len(seen) > UNPACKED_MAX + 2**16:
        wrong.append(f"{len(seen)} bytes unpacked, over {UNPACKED_MAX} and one chunk")
    if files._kind(files._content(seen), seen) not in (
        None,
        "models",
        "rankings",
        "unknown",
        *KINDS.values(),
    ):
        wrong.append("a kind that is none")
    return wrong + header_objections(raw)


def header_objections(raw: bytes) -> list[str]:
    """Return what is wrong with the reading of `name: value` lines as the headers of an answer."""
    lines = [line.partition(b":") for line in raw.replace(b"\r", b"").split(b"\n")[:8]]
    headers = httpx2.Headers([(name.strip(), value.strip()) for name, colon, value in lines if colon])
    date, until = attempts._server_date(headers), attempts._not_before(headers, CAPTURED_AT)
    digest = attempts._origin_sha256(headers)
    wrong = []
    if date is not None and (not 0 <= date < NOT_AFTER or microseconds(format_instant(date)) != date):
        wrong.append(f"Date {headers.get('date')!r} is read as {date}")
    if until is not None and (type(until) is not int or not CAPTURED_AT < until <= CAPTURED_AT + 48 * HOUR):
        wrong.append(f"{headers!r}: not before {until}")
    after = headers.get("retry-after", "")
    if re.fullmatch("[1-9][0-9]{0,14}", after) and until != CAPTURED_AT + min(int(after) * SECOND, 48 * HOUR):
        wrong.append(f"Retry-After {after} is read as {until}")
    if digest is not None and not re.fullmatch("[0-9a-f]{64}", digest):
        wrong.append(f"x-replay-sha256 is read as {digest!r}")
    if not files.printable(raw.decode("latin-1")).isprintable():
        wrong.append("what is shown is not printable")
    return wrong


# ---- seeds


def thinned(raw: bytes, rows: int) -> bytes:
    """Return a response with every so-and-so-manieth of its rows."""
    payload = strict(raw)
    payload["data"] = payload["data"][:: max(1, len(payload["data"]) // rows)]
    return written(payload).encode()


def seeds(target: str) -> Iterator[bytes]:
    """Yield what to start from."""
    if target == "transport":
        yield from (path.read_bytes() for path in sorted(FAULTS.rglob("*.gz")))
        yield gzip.compress((FAULTS / "models" / "alias.json").read_bytes(), mtime=0)
        yield gzip.compress(b" " * 100_000, mtime=0)
        yield b"Date: Thu, 18 Jun 2026 08:30:00 GMT\nAge: 12\nX-Replay-Sha256: " + b"0" * 64
        yield b"Retry-After: 120\nX-RateLimit-Reset: 1782000000000"
        yield b"Retry-After: Wed, 01 Jul 2026 00:10:00 GMT\nDate: Thu Jun 18 08:30:00 2026"
        yield b"Retry-After: 18 Jun 26 08:30:00 +0530\nAge: 999999999999999"
        return
    yield from (path.read_bytes() for path in sorted((FAULTS / target).iterdir()))
    found = [
        path for name in RECORDED.get(target, ()) for path in sorted((RECORDINGS / name).glob("*.json.gz"))
    ]
    print(f"{len(found)} recorded responses of {target} at {RECORDINGS}", file=sys.stderr)
    for path in found:
        yield thinned(gzip.decompress(path.read_bytes()), 3 if target == "models" else 30)


# ---- the run


def judge(target: str) -> Callable[[bytes], list[str]]:
    """Return what says what is wrong with the reading of an input."""
    if target == "transport":
        return transport_objections
    return lambda raw: objections(KINDS[target], raw, CAPTURED_AT)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=[*KINDS, "transport"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=ROOT / ".fuzz")
    parser.add_argument("--input", type=Path)
    options = parser.parse_args()
    wrong = judge(options.target)
    if options.input:
        found = wrong(options.input.read_bytes())
        print("\n".join(found) or "nothing is wrong with its reading")
        sys.exit(bool(found))

    folder = options.folder / options.target
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    (folder / "found").mkdir(exist_ok=True)
    for seed in seeds(options.target):
        if len(seed) <= INPUT_BYTES_MAX:
            (folder / "corpus" / hashlib.sha1(seed).hexdigest()).write_bytes(seed)

    def test_one_input(raw: bytes) -> None:
        try:
            found = wrong(raw)
        except Exception as error:
            found = [f"{type(error).__name__}: {error}"]
        if found:
            kept = folder / "found" / f"crash-{hashlib.sha1(raw).hexdigest()}"
            kept.write_bytes(raw)
            print(*found, f"again: {sys.executable} {sys.argv[0]} {options.target} --input {kept}", sep="\n")
            raise AssertionError(found[0])

    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={options.seconds}",
            f"-max_len={INPUT_BYTES_MAX}",
            f"-artifact_prefix={folder / 'found'}/",
            *("-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-use_value_profile=0"),
            str(folder / "corpus"),
        ],
        test_one_input,
        custom_mutator=changed_transport if options.target == "transport" else changed_json,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()

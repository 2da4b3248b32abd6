"""A key said twice rejects the payload, however the text is written (ingest rules 5.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtok.observations.payload import PayloadFault, decode_payload

KEYS = st.sampled_from(["a", "b", 'q"', "back\\", "x:", '":', " :", "data"])
VALUES = st.one_of(st.integers(0, 9), st.sampled_from(['":', '\\":', " :", "plain", '"']))


@pytest.mark.parametrize(
    "text",
    [
        '{"data":[],"a":1,"a":2}',
        '{"data":[],"a":1,"a" :2}',
        '{"data":[],"a"\n:1,"a"\t:2}',
        '{"data":[],"a\\\\":1,"a\\\\":2}',
        '{"data":[{"b":{"a":1,"a":1}}]}',
        '{"data":[],"note":"\\":","a":1,"a":2}',
        '{"data":[],"a":1,"\\u0061":2}',
        '{"data":[],"big":' + "9" * 5000 + ',"a":1,"a":2}',
    ],
)
def test_a_key_said_twice_is_found(text: str) -> None:
    with pytest.raises(PayloadFault) as fault:
        decode_payload(text.encode())
    assert fault.value.code == "payload_duplicate_key"


def _written(pairs: list[tuple[str, Any]], spaces: tuple[str, str]) -> str:
    """Return an object as text, keys in order, said as often as they are listed."""
    fields = [f"{json.dumps(key)}{spaces[0]}:{spaces[1]}{_text(value, spaces)}" for key, value in pairs]
    return "{" + ",".join(fields) + "}"


def _text(value: Any, spaces: tuple[str, str]) -> str:
    return _written(value, spaces) if isinstance(value, list) else json.dumps(value)


def _repeats(pairs: list[tuple[str, Any]]) -> bool:
    keys = [key for key, _ in pairs]
    return len(set(keys)) < len(keys) or any(
        isinstance(value, list) and _repeats(value) for _, value in pairs
    )


OBJECTS = st.recursive(
    st.lists(st.tuples(KEYS, VALUES), max_size=3),
    lambda inner: st.lists(st.tuples(KEYS, st.one_of(VALUES, inner)), max_size=4),
)


@given(OBJECTS, st.tuples(st.sampled_from(["", " ", "\n"]), st.sampled_from(["", " "])))
def test_repeated_keys_are_found_and_no_others(pairs: list[tuple[str, Any]], spaces: tuple[str, str]) -> None:
    text = f'{{"data":[{_written(pairs, spaces)}]}}'
    if _repeats(pairs):
        with pytest.raises(PayloadFault):
            decode_payload(text.encode())
    else:
        assert decode_payload(text.encode()) == json.loads(text)

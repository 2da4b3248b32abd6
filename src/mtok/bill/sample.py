"""The bundled usage export of a made-up company, for whoever wants to see a bill before sending one."""

from __future__ import annotations

from importlib.resources import files


def sample_export() -> bytes:
    """Return it."""
    return files("mtok.bill").joinpath("sample.csv").read_bytes()

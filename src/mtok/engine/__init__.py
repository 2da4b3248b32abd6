"""Runs the rules' SQL. No rule lives here."""

from mtok.engine.embedded import Engine

__all__ = ["Engine"]

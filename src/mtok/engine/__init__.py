"""Runs the rules' SQL, embedded or on a cluster. No rule lives here."""

from mtok.engine.embedded import EmbeddedEngine
from mtok.engine.interface import Engine, FilesUnreadable
from mtok.engine.opening import ENGINES, open_engine

__all__ = ["ENGINES", "EmbeddedEngine", "Engine", "FilesUnreadable", "open_engine"]

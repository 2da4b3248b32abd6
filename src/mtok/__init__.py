"""mtok: the open reference price for AI tokens. Read `day.py` first."""

__version__ = "0.1.0"

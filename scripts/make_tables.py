"""Write the tables of docs/settlement.md and docs/market.md from the tables the program runs on.

A table stands between two comments of its page, `<!-- table: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from state_tables import filled

DOCS = Path(__file__).parents[1] / "docs"

if __name__ == "__main__":
    for page in (DOCS / "settlement.md", DOCS / "market.md"):
        page.write_text(filled(page.read_text("utf-8")), "utf-8")

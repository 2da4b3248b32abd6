"""Mutate settlement and matching with mutmut in a clone of its own, and list what lives.

usage: mutate_market.py [--folder FOLDER]

What is mutated, and by which tests it is to be found, stands in pyproject.toml. Mutants that change nothing but the
words of a refusal beyond its code are counted apart. The clone is kept in FOLDER where one is named.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
MUTMUT = Path(sys.executable).parent / "mutmut"
WORDS = re.compile(r'"[^"]*"|None|, *(?=\))')
"""What two lines may differ in that say the same but for words."""


def main() -> int:
    """Run, and print how many were killed and which live."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mtok-mutants-") as temporary:
        folder = asked.folder or Path(temporary) / "mtok"
        if not folder.exists():
            subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        subprocess.run([MUTMUT, "run"], cwd=folder, check=False, stdout=subprocess.DEVNULL)
        report(folder)
    return 0


def report(folder: Path) -> None:
    """Print the counts, then each mutant that lives and is more than words, with its lines."""
    listed = told(folder, "results", "--all", "true")
    found = dict(re.findall(r"^\s*(\S+): (.+)$", listed, re.MULTILINE))
    counts = Counter(found.values())
    living = sorted(name for name, state in found.items() if state in ("survived", "suspicious", "no tests"))
    shown = {name: told(folder, "show", name) for name in living}
    words = [name for name, text in shown.items() if is_words(text)]
    print(", ".join(f"{state} {count}" for state, count in sorted(counts.items())), f"of {len(found)}")
    print(f"of those that live {len(words)} change words of a refusal alone:")
    for name in living:
        if name not in words:
            lines = [line for line in shown[name].splitlines() if re.match(r"[-+](?![-+])", line)]
            print(f"\n{name}", *lines, sep="\n  ")


def is_words(text: str) -> bool:
    """Return whether a mutant changes nothing but a text behind the code of a refusal."""
    before, after = (
        [line[1:].strip() for line in text.splitlines() if re.match(rf"\{sign}(?!\{sign})", line)]
        for sign in "-+"
    )
    context, _, _ = text.partition("\n-")
    in_refusal = re.search(r"Refused\([^)]*$", context) is not None
    is_alike = [WORDS.sub("", line) for line in before] == [WORDS.sub("", line) for line in after]
    return is_alike and (in_refusal or any("Refused(" in line for line in before))


def told(folder: Path, *arguments: str) -> str:
    """Return what mutmut prints."""
    return subprocess.run([MUTMUT, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())

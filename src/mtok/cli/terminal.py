"""What the terminal can show: width, colour, encoding, progress. The one place that writes for people.

Colour is for terminals only, says nothing that the text does not say, and respects NO_COLOR.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from mtok.cli.layout import WIDTH_MAX, WIDTH_MIN, Heading
from mtok.progress import Progress
from mtok.wording.figures import TIED

_ASCII: Final = str.maketrans(
    {
        TIED: " ",
        "−": "-",
        "–": "-",
        "─": "-",
        "│": "|",
        "·": ".",
        "→": ">",
        "×": "x",
        "…": "~",
        "━": "=",
        "┆": "|",
        "●": "*",
        "○": "o",
        "◐": "o",
        "◌": "~",
        **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
    }
)
"""One character for one, so that columns stay aligned."""

_STYLES: Final = {
    r"●": "green",
    r"◐": "yellow",
    r"◌": "magenta",
    r"\bprice(?=\s+[+−]?\d)": "bright_blue",
    r"\bmix(?=\s+[+−]?\d)": "yellow",
    r"\bentry(?=\s+[+−]?\d)": "cyan",
    r"\bexit(?=\s+[+−]?\d)": "magenta",
    r"─+|│|\b[0-9a-f]{64}\b": "dim",
}


def page_width() -> int:
    """Return how wide a page on standard output is: 80, on a wider terminal up to 100."""
    if not sys.stdout.isatty():
        return WIDTH_MIN
    return min(max(shutil.get_terminal_size().columns, WIDTH_MIN), WIDTH_MAX)


def write_page(lines: Iterable[str]) -> None:
    """Write lines to standard output, in colour where that is a terminal."""
    if not _coloured(sys.stdout):
        write("".join(f"{line.rstrip()}\n" for line in lines), sys.stdout)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        text = Text(
            showable(line.rstrip(), sys.stdout.encoding), style="bold" if isinstance(line, Heading) else ""
        )
        for pattern, style in _STYLES.items():
            text.highlight_regex(pattern, style)
        console.print(text)


def write(text: str, stream: TextIO) -> None:
    """Write text in characters the stream can show."""
    stream.write(showable(text, stream.encoding))


def showable(text: str, encoding: str | None) -> str:
    """Return `text` for people in characters the encoding has: as it is, else in ASCII, else with question marks.

    >>> showable("mix −1.75 ▁█", "ascii")
    'mix -1.75 _#'
    """
    text, encoding = text.replace(TIED, " "), encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, errors="replace").decode(encoding)
    return text


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield a function to report progress with: a bar on standard error where that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield report


def _silent(what: str, done: int, total: int) -> None:
    pass


def _coloured(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

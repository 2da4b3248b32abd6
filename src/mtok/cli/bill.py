"""`mtok bill`: a usage export at posted prices, in 80 columns. The file never leaves this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mtok.cli.failures import reported
from mtok.cli.options import AsJson, StorePath, answer

if TYPE_CHECKING:
    from mtok.publication.published import Published

commands = typer.Typer()

SAMPLE: Final = "sample"


@commands.command(epilog="Example: mtok bill usage.csv --store store")
@reported
def bill(
    *,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A usage export as CSV; - for standard input, `sample` for the bundled one."
        ),
    ],
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Show what your own tokens cost at posted prices, why that moved, and how well each series would hedge it.

    The export has the columns date, model, output_tokens and, if you like, paid_usd (docs/bill.md). It is read here and
    goes nowhere. PATH may also be a copy of a folder publication/.
    """
    from mtok.bill import bill_of
    from mtok.cli.bill_page import bill_content, bill_page
    from mtok.cli.reading import named_store
    from mtok.cli.terminal import page_width

    found = bill_of(export_bytes(file), published_in(named_store(store)))
    answer(bill_content(found), bill_page(found, page_width()), as_json=as_json)


def export_bytes(file: str) -> bytes:
    """Return an export, of standard input or the sample too; no more of it than shows that it is too large."""
    from mtok.bill.export import BYTES_MAX
    from mtok.bill.sample import sample_export

    if file == SAMPLE:
        return sample_export()
    if file == "-":
        return sys.stdin.buffer.read(BYTES_MAX + 1)
    with Path(file).open("rb") as opened:
        return opened.read(BYTES_MAX + 1)


def published_in(path: Path) -> Published:
    """Return what a store, or a folder publication/ itself, has published. Raises BadCall where there is neither."""
    from mtok.errors import BadCall
    from mtok.publication.published import FOLDER, Published

    inside = path / FOLDER
    folder = inside if inside.is_dir() or not (path / "log").is_dir() else path
    if not path.is_dir():
        raise BadCall("store_missing", f"{path} is no folder", "`mtok demo --store PATH` makes a store.")
    return Published(folder)

"""How a command ends when it cannot do what it was asked: one sentence, a remedy, an exit status.

1 the answer is no, 2 bad call or bad input, 3 upstream or environment failed; 130 interrupted, 141 when the
reader of standard output has gone. With --json the error is an object on standard output too.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final, ParamSpec

import typer

from mtok.cli.terminal import write
from mtok.errors import EnvironmentFailed, MtokError

INTERRUPTED: Final = 130
READER_GONE: Final = 141
DEBUG: Final = "MTOK_DEBUG"

_REMEDIES: Final = {
    errno.ENOSPC: (
        "disk_full",
        "Free some space there and run the same command again; nothing is half written.",
    ),
    errno.EDQUOT: (
        "disk_full",
        "Free some of your quota and run the same command again; nothing is half written.",
    ),
    errno.EROFS: (
        "read_only",
        "That file system is read-only: mount it writable, or name a store elsewhere.",
    ),
    errno.EACCES: ("no_permission", "Give this user the permission, or name a store elsewhere."),
    errno.EPERM: ("no_permission", "Give this user the permission, or name a store elsewhere."),
}

_Parameters = ParamSpec("_Parameters")


def reported(command: Callable[_Parameters, None]) -> Callable[_Parameters, None]:
    """Return `command` with every way to fail told in the style of this program and turned into an exit status."""

    @functools.wraps(command)
    def run(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> None:
        machine = bool(kwargs.get("as_json"))
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except MtokError as error:
            raise typer.Exit(_tell(error, machine=machine)) from None
        except KeyboardInterrupt:
            write("\ninterrupted: nothing lost; run the same command again\n", sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _drop_output()
            raise typer.Exit(READER_GONE) from None
        except OSError as error:
            if error.filename is None and not _output_takes_more():
                _drop_output()
            failed = _environment(error, kwargs.get("store"))
            raise typer.Exit(_tell(failed, machine=machine)) from None
        except typer.Exit:
            raise
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            raise typer.Exit(_tell(_internal(error), machine=machine)) from None

    return run


def _tell(error: MtokError, *, machine: bool) -> int:
    """Write the error and return its exit status."""
    if machine:
        content = {"code": error.code, "message": error.found, "remedy": error.remedy}
        try:
            sys.stdout.write(json.dumps({"error": content}) + "\n")
            sys.stdout.flush()
        except OSError:
            _drop_output()
    remedy = f"{error.remedy}\n" if error.remedy else ""
    write(f"mtok: {error.found}\n{remedy}", sys.stderr)
    return error.exit_status


def _output_takes_more() -> bool:
    """Whether what is left for standard output goes out: then an error without a file name came from elsewhere."""
    try:
        sys.stdout.flush()
    except OSError:
        return False
    return True


def _drop_output() -> None:
    """Send what is still to be written nowhere: standard output cannot take it."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _environment(error: OSError, store: object) -> EnvironmentFailed:
    code, remedy = _REMEDIES.get(
        error.errno or 0, ("environment", "See that it is as it should be and try again.")
    )
    path = error.filename or f"standard output or store {store}"
    what = error.strerror or type(error).__name__
    return EnvironmentFailed(code, f"{path}: {what}", remedy)


def _internal(error: Exception) -> EnvironmentFailed:
    found = " ".join(f"{type(error).__name__}: {error}".split())
    return EnvironmentFailed(
        "internal",
        f"internal error: {found}",
        f"Please report it, with what {DEBUG}=1 shows of the same command.",
    )

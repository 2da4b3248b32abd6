"""The timer: what starts `mtok run` at minutes 5 and 50 of every hour, as systemd units or a line of cron."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Literal

from mtok.archive.files import write_file
from mtok.cli.layout import Heading, Page
from mtok.errors import EnvironmentFailed

Where = Literal["print", "user", "system", "cron"]

MINUTES: Final = "5,50"
USER_SETTINGS: Final = Path("~/.config/mtok/environment")
SYSTEM_SETTINGS: Final = Path("/etc/mtok/environment")
_SYSTEM_UNITS: Final = Path("/etc/systemd/system")
_USER_UNITS: Final = Path("~/.config/systemd/user")
_CRON_MARK: Final = "# mtok"
_CRON_LOG: Final = Path("~/.mtok.log")

_SERVICE: Final = """\
[Unit]
Description=mtok: collect, determine, tell what is odd or late
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
EnvironmentFile=-{settings}
ExecStart={command}
TimeoutStartSec=40min
Nice=5
NoNewPrivileges=yes
PrivateTmp=yes
"""
_SYSTEM_SERVICE: Final = """\
User={user}
ProtectSystem=strict
ReadWritePaths={folder}
"""
_TIMER: Final = f"""\
[Unit]
Description=mtok at minutes 5 and 50 of every hour

[Timer]
OnCalendar=*-*-* *:{MINUTES}:00 UTC
AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target
"""


def units(store: Path, settings: str, *, system: bool = False) -> dict[str, str]:
    """Return the systemd units by file name. settings : the file of environment variables, never read here.

    Those of the system run as the owner of the store's folder and may write there alone; where it does not exist yet,
    of the nearest folder above it that does.
    """
    command = " ".join(_quoted_for_systemd(word).replace("$", "$$") for word in _command(store))
    service = _SERVICE.format(settings=settings, command=command)
    if system:
        wanted = store.resolve()
        folder = next(path for path in (wanted, *wanted.parents) if path.exists())
        service += _SYSTEM_SERVICE.format(user=_owner(folder), folder=_quoted_for_systemd(str(folder)))
    return {"mtok.service": service, "mtok.timer": _TIMER}


def cron_line(store: Path) -> str:
    """Return the line of a crontab; its last words tell it from those of other stores."""
    settings = shlex.quote(str(USER_SETTINGS.expanduser()))
    command = f"[ -r {settings} ] && set -a && . {settings} && set +a; exec {shlex.join(_command(store))}"
    log = shlex.quote(str(_CRON_LOG.expanduser()))
    return _escaped_for_cron(f"{MINUTES} * * * * {command} >/dev/null 2>>{log} ") + _cron_mark(store)


def install(where: Where, store: Path) -> tuple[dict[str, Any], Page]:
    """Print or install the timer, and return what was done for machines and for people.

    Raises EnvironmentFailed `timer_failed` when systemd or cron does not take it.
    """
    if where == "print":
        return _printed(store)
    if where == "cron":
        line = cron_line(store)
        lines = [old for old in _crontab() if not old.endswith(_cron_mark(store))]
        _told(["crontab", "-"], "\n".join([*lines, line]) + "\n")
        return {"installed": "cron", "line": line}, [f"crontab: {line}", *_about_settings(USER_SETTINGS)]
    system = where == "system"
    folder = _SYSTEM_UNITS if system else _USER_UNITS.expanduser()
    settings = str(SYSTEM_SETTINGS) if system else f"%h/{USER_SETTINGS.relative_to('~')}"
    files = units(store, settings, system=system)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_file(folder / name, text.encode())
    systemctl = ["systemctl"] if system else ["systemctl", "--user"]
    _told([*systemctl, "daemon-reload"])
    _told([*systemctl, "enable", "--now", "mtok.timer"])
    written = [str(folder / name) for name in files]
    page = [f"installed {path}" for path in written]
    if not system:
        page.append("Let it run while nobody is logged in: loginctl enable-linger")
    return (
        {"installed": where, "files": written},
        [*page, *_about_settings(SYSTEM_SETTINGS if system else USER_SETTINGS)],
    )


def _printed(store: Path) -> tuple[dict[str, Any], Page]:
    files, line = units(store, f"%h/{USER_SETTINGS.relative_to('~')}"), cron_line(store)
    page: Page = []
    for name, text in files.items():
        page += [Heading(f"# {_USER_UNITS}/{name}"), *text.splitlines(), ""]
    page += [Heading("# or a line for crontab -e"), line, "", *_about_settings(USER_SETTINGS)]
    return {"installed": None, "files": files, "line": line}, page


def _about_settings(settings: Path) -> Page:
    return [
        f"Put OPENROUTER_API_KEY=… into {settings} (mode 0600), and the settings of the sinks:",
        "MTOK_METRICS_FILE, MTOK_WEBHOOK_URL, MTOK_MAIL_URL, MTOK_MAIL_FROM, MTOK_MAIL_TO.",
    ]


def _command(store: Path) -> list[str]:
    """Return the words that run this very program, however it was started."""
    typed = Path(sys.argv[0]).absolute()
    program = [str(typed)] if typed.name == "mtok" else [sys.executable, "-m", "mtok"]
    return [*program, "run", "--store", str(store.resolve()), "--log", "json"]


def _quoted_for_systemd(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _owner(folder: Path) -> str:
    user = folder.stat().st_uid
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _cron_mark(store: Path) -> str:
    return _escaped_for_cron(f"{_CRON_MARK} {store.resolve()}")


def _escaped_for_cron(text: str) -> str:
    return text.replace("%", r"\%")


def _crontab() -> list[str]:
    """Return the lines there are; none only where crontab itself says so, as they are written back."""
    command, environment = ["crontab", "-l"], os.environ | {"LC_ALL": "C"}
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except FileNotFoundError:
        raise _failed("crontab", "it is not installed") from None
    if found.returncode == 0:
        return found.stdout.splitlines()
    if "no crontab for" in found.stderr:
        return []
    raise _failed(shlex.join(command), found.stderr.strip() or f"exit status {found.returncode}")


def _told(command: list[str], content: str | None = None) -> None:
    try:
        subprocess.run(command, input=content, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise _failed(command[0], "it is not installed") from None
    except subprocess.CalledProcessError as error:
        raise _failed(
            shlex.join(command), error.stderr.strip() or f"exit status {error.returncode}"
        ) from None


def _failed(command: str, found: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        "timer_failed",
        f"{command}: {found}",
        "Print the units with --install-timer print and install them as your system wants them.",
    )

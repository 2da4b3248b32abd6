"""The page My bill as people use it: sent to a real server as a file or as text, answered from memory."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest

from mtok.bill import bill_of
from mtok.bill.sample import sample_export
from mtok.publication.published import Published
from mtok.wording.figures import number, percent
from mtok.wording.words import company_of
from served import NOW, serving

BOUNDARY = "----bill"
GOOD = "2026-06-20,openai/gpt-4o-mini,1000000,0.57"
HEADER = "date,model,output_tokens,paid_usd"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    text: str

    @property
    def cells(self) -> list[list[str]]:
        """The cells of every row of every table."""
        rows = re.findall(r"<tr>(.*?)</tr>", self.text, re.DOTALL)
        return [
            [
                html.unescape(re.sub("<[^>]+>", "", cell))
                for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
            ]
            for row in rows
        ]


def ask(request: urllib.request.Request | str) -> Answer:
    try:
        with urllib.request.urlopen(request, timeout=60) as answered:
            return Answer(answered.status, answered.headers, answered.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read().decode())


def send(site: str, file: bytes | None = None, **fields: str) -> Answer:
    """Send the form as a browser does. file : of the field `export`"""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if file is not None:
        disposition = 'Content-Disposition: form-data; name="export"; filename="usage.csv"'
        parts.append(
            f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: text/csv\r\n\r\n".encode() + file + b"\r\n"
        )
    body = b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return ask(urllib.request.Request(f"{site}/bill", body, kind))


def export(*rows: str) -> str:
    return "\n".join([HEADER, *rows, ""])


def test_the_form_works_without_a_script_and_says_what_happens(site: str) -> None:
    found = ask(f"{site}/bill")
    assert (found.status, found.headers["Cache-Control"]) == (200, "public, max-age=60")
    assert '<form method="post" action="/bill" enctype="multipart/form-data">' in found.text
    assert "it is not stored, not logged and not kept by a cache" in found.text
    assert "Set-Cookie" not in found.headers
    for name in re.findall(r'<(?:input|select|textarea)[^>]* id="(\w+)"', found.text):
        assert f'<label for="{name}">' in found.text
    assert "<script" not in found.text


def test_the_page_has_the_digits_of_the_bill(site: str, published_sample: Path) -> None:
    """A file, the same as text, and the button give one page: the figures of the library."""
    bill = bill_of(sample_export(), Published(published_sample / "publication"))
    pages = [
        send(site, sample_export(), series=""),
        send(site, text=sample_export().decode(), series=""),
        send(site, sample="1"),
    ]
    assert [page.status for page in pages] == [200, 200, 200]
    assert pages[0].text == pages[1].text == pages[2].text
    assert all(page.headers["Cache-Control"] == "no-store" for page in pages)
    shown = pages[0].cells
    for day in bill.days:
        [row] = [row for row in shown if row[0] == day.date]
        assert (row[2], row[3]) == (day.price, day.paid)
    for fit in bill.fits:
        assert fit.tracking_error is not None
        assert [row for row in shown if row[2:3] == [number(fit.tracking_error, 4)]]
    assert f"<strong>{bill.price}</strong>" in pages[0].text
    best = bill.closest
    assert best is not None
    left = percent(best.unexplained or "", 0)
    verdict = (
        f"No series would have hedged this well: the best, {company_of(best.series)}, leaves {left} of the"
    )
    assert pages[0].text.index(verdict) < pages[0].text.index("To offset a move")
    assert "rows were refused" not in pages[0].text


def test_the_chart_shows_the_series_asked_for(site: str) -> None:
    found = send(site, sample_export(), series="qwen")
    assert "Dashed: Qwen." in found.text
    own, other = (
        re.findall(rf'<path class="{kind}"[^>]* d="([^"]+)"', found.text) for kind in ("line", "line-2")
    )
    assert len(own[0].split()) > 30
    assert own != other


def test_nothing_that_was_sent_runs(site: str) -> None:
    rows = ["2026-06-20,=cmd|' /C calc'!A0,1,", "2026-06-20,<script>alert(1)</script>,2,", "<b>,gpt-4o,1,"]
    found = send(site, text=export(GOOD, *rows))
    assert found.status == 200
    assert "<script" not in found.text
    assert "<b>" not in found.text
    assert ["3", "'=cmd|' /C calc'!A0", "write the value, not a formula", "formula"] in found.cells
    assert any(row[0] == "<script>alert(1)</script>" for row in found.cells)


def test_good_rows_count_and_bad_ones_are_listed(site: str) -> None:
    found = send(site, ("\ufeff" + export(GOOD, "20/06/2026,gpt-4o,1,", GOOD)).encode())
    assert "2 rows read · 1 row added to another of the same date and model<" in found.text
    refused = found.text.index("1 of 3 rows was refused.")
    assert refused < found.text.index("<strong>0.600000</strong>")
    assert "<strong>0.600000</strong>" in found.text
    assert [row[:2] for row in found.cells if row[-1] == "date_invalid"] == [["3", "20/06/2026"]]


def test_days_that_say_little_are_not_made_a_table(site: str) -> None:
    apart = send(site, text=export(GOOD, GOOD.replace("-20", "-22").replace("4o-mini", "5-mini")))
    assert "Too few daily changes (0; 20 are needed) to measure a hedge." in apart.text
    assert "20\u00a0Jun\u00a02026 to 22\u00a0Jun\u00a02026, 1 of 3 days without a price" in apart.text
    assert not [row for row in apart.cells if row[0] == "Qwen"]
    assert "<svg" not in apart.text.partition("<main")[2].partition("</main>")[0]
    [row] = [row for row in apart.cells if row[0] == "2026-06-22"]
    assert row[4].endswith(" since 20\u00a0Jun\u00a02026")
    assert row[5] == "other models than on 20\u00a0Jun\u00a02026"
    days = [
        f"2026-06-{day},{name},{tokens},"
        for day in (16, 17, 18)
        for name, tokens in (("openai/gpt-4o-mini", day), ("openai/gpt-5.5-20260423", day * day % 7))
    ]
    few = send(site, text=export(*days))
    assert "Too few daily changes (2; 20 are needed) to rely on any of these figures." in few.text
    assert [row[1] for row in few.cells if row[0] == "Qwen"] == ["2"]


@pytest.mark.parametrize(
    ("file", "status", "code"),
    [
        (b"", 400, "export_empty"),
        (b"PK\x03\x04", 400, "export_is_spreadsheet"),
        (b"\x89PNG\r\n", 400, "export_encoding"),
        (b"a,b\n1,2\n", 400, "header_missing"),
        (HEADER.encode() + b"\n1" * 200_001, 413, "export_too_long"),
        (b"x" * (8 * 2**20 + 1), 413, "upload_too_large"),
        (b"x" * (9 * 2**20), 413, "upload_too_large"),
    ],
    ids=["empty", "zip", "binary", "no_header", "rows", "byte_over", "megabyte_over"],
)
def test_what_is_no_export_is_refused_by_name(file: bytes, status: int, code: str, site: str) -> None:
    found = send(site, file)
    assert (found.status, found.headers["Cache-Control"]) == (status, "no-store")
    assert code in found.text


def test_too_much_text_is_refused_by_name(site: str) -> None:
    found = send(site, text="x" * (8 * 2**20 + 2**16 - 300))
    assert (found.status, "upload_too_large" in found.text) == (413, True)


def test_a_form_that_is_none_is_refused(site: str) -> None:
    nothing = send(site)
    unknown = send(site, sample="1", series="../../etc/passwd")
    broken = ask(
        urllib.request.Request(
            f"{site}/bill", b"--x\r\nContent", {"Content-Type": "multipart/form-data; boundary=y y"}
        )
    )
    assert (nothing.status, "export_empty" in nothing.text) == (400, True)
    assert (unknown.status, "passwd" in unknown.text, "series_unknown" in unknown.text) == (404, False, True)
    assert broken.status == 400


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_another_method_is_told_which_there_are(method: str, site: str) -> None:
    found = ask(urllib.request.Request(f"{site}/bill", method=method))
    assert (found.status, found.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert "method_not_allowed" in found.text


INSIDE = """
import io
from mtok.venue.wsgi import application
from mtok.venue.pages import bill

def send(length):
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/bill", "CONTENT_TYPE": "application/x-www-form-urlencoded",
               "CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(b"sample=1"), "SERVER_NAME": "localhost",
               "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
    told = []
    body = b"".join(application(environ, lambda status, headers: told.extend([status, dict(headers)])))
    print(length, told[0][:3], told[1].get("Retry-After"), b"bill_busy" in body, b"request_invalid" in body)

for length in ("8", "abc", "9" * 5000):
    send(length)
work = bill.bill_of
def slow(*given):
    send("8")
    return work(*given)
bill.bill_of = slow
send("8")
"""
"""What no client can send in order: bills while one is worked out, and lengths that are no numbers."""


def test_two_bills_are_worked_out_at_once_and_no_more(published_sample: Path) -> None:
    environment = os.environ | {"MTOK_STORE": str(published_sample), "MTOK_NOW": NOW, "MTOK_RATE_LIMIT": ""}
    found = subprocess.run(
        [sys.executable, "-c", INSIDE], env=environment, capture_output=True, text=True, check=True
    )
    assert [line.split()[1:] for line in found.stdout.splitlines()] == [
        ["200", "None", "False", "False"],
        ["400", "None", "False", "True"],
        ["400", "None", "False", "True"],
        ["503", "60", "True", "False"],
        ["200", "None", "False", "False"],
        ["200", "None", "False", "False"],
    ]


def test_nothing_is_written_to_disk(
    published_sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that comes and goes changes the time of its folder."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with serving(published_sample) as address:
        before = folder.stat().st_mtime_ns
        padded = f"{GOOD},{'x' * 10_000}"
        large = f"{HEADER},note\n{f'{padded}{chr(10)}' * 300}".encode()
        assert len(large) > 3_000_000
        assert [send(address, large).status, send(address, text=export(GOOD)).status] == [200, 200]
        assert send(address, b"x" * 9 * 2**20).status == 413
        assert (folder.stat().st_mtime_ns, list(folder.iterdir())) == (before, [])

"""A served publication with damage in it: what is damaged is refused, nothing damaged is kept, a repair is seen."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from asking import ask
from mtok.archive.published_files import PublishedFiles
from mtok.proofs import bundle_path, bundles_of, decode_proof, encode_proof
from mtok.publication.published import Published
from mtok.venue.opened import DAMAGED_SECONDS, Opening
from served import serving

FOREVER = "public, max-age=31536000, immutable"
PROOF = "proofs/openai/2026-06-20.0.tlog-proof"


@pytest.fixture(scope="module")
def copy(published_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(published_sample / "publication", tmp_path_factory.mktemp("damage") / "copy"))


@pytest.fixture(scope="module")
def damaged_site(copy: Path) -> Iterator[str]:
    with serving(copy) as site:
        yield site


def in_log(folder: Path) -> list[str]:
    """Return the files of the log that never change: of each kind the first and the last, and some proofs."""
    names = sorted(PublishedFiles(folder).expected)
    kinds = ("log/tile/entries/", "log/tile/0/", "log/heads/", "proofs/openai/", "proofs/prices/")
    found = [[name for name in names if name.startswith(kind)] for kind in kinds]
    return [name for kind in found for name in {kind[0], kind[-1]}]


def test_the_log_and_the_proofs_are_given_out_as_they_are(damaged_site: str, copy: Path) -> None:
    for name in in_log(copy):
        answer = ask(damaged_site, f"/{name}")
        assert (answer.status, answer.headers["cache-control"]) == (200, FOREVER), name
        assert answer.body == (copy / name).read_bytes(), name


def test_no_damaged_file_of_the_log_is_given_out(damaged_site: str, copy: Path) -> None:
    for name in in_log(copy):
        sound = (copy / name).read_bytes()
        for bad in (b"", b"hello\n", sound[:-9] + bytes([sound[-9] ^ 1]) + sound[-8:], sound + sound):
            (copy / name).write_bytes(bad)
            answer = ask(damaged_site, f"/{name}?of={len(bad)}.{bad[:1].hex()}.{bad == sound + sound}")
            assert answer.status == 503, (name, bad[:20])
            assert answer.headers["cache-control"] == "no-store"
            assert b"publication_damaged" in answer.body
        (copy / name).write_bytes(sound)


def test_a_proof_of_another_entry_or_of_nobody_is_no_proof(damaged_site: str, copy: Path) -> None:
    sound = (copy / PROOF).read_bytes()
    proof = decode_proof(sound)
    text, _, _ = proof.checkpoint.partition(b"\n\n")
    name, key_id = b"mtok.example", base64.b64encode(bytes(68))
    others = {
        "of another entry": (copy / "proofs/openai/2026-06-21.0.tlog-proof").read_bytes(),
        "signed by nobody": encode_proof(
            type(proof)(
                index=proof.index,
                hashes=proof.hashes,
                checkpoint=text + "\n\n— ".encode() + name + b" " + key_id + b"\n",
            )
        ),
        "no proof": b"hello\n",
    }
    for what, other in others.items():
        (copy / PROOF).write_bytes(other)
        for path in ("proof", "evidence"):
            answer = ask(damaged_site, f"/v1/series/openai/points/2026-06-20/{path}?vintage=0")
            assert (answer.status, answer.code) == (503, "publication_damaged"), (what, path)
        assert ask(damaged_site, f"/{PROOF}?{what.replace(' ', '-')}").status == 503, what
    (copy / PROOF).write_bytes(sound)
    answer = ask(damaged_site, "/v1/series/openai/points/2026-06-20/proof?vintage=0")
    assert answer.json["proof"] == sound.decode()


def test_what_the_log_does_not_reach_is_not_there(damaged_site: str, copy: Path) -> None:
    for name in (
        "log/heads/999999",
        "log/tile/0/009.p/3",
        "log/tile/entries/009",
        "proofs/openai/x.tlog-proof",
    ):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(b"\x00")
        assert ask(damaged_site, f"/{name}").status == 404, name
        (copy / name).unlink()


def test_a_repair_byte_for_byte_is_seen(published_sample: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published_sample / "publication", tmp_path / "copy"))
    seconds = 100.0
    opening = Opening(folder, lambda: seconds)
    *_, last = bundles_of(Published.size_of(folder))
    bundle = folder / "log" / bundle_path(*last)
    sound = bundle.read_bytes()
    bundle.write_bytes(sound[:-1])
    version = opening.version()
    broken = opening.now()
    assert broken.damage is not None
    bundle.write_bytes(sound)
    assert opening.version() == version, "nothing tells that it was repaired"
    seconds += DAMAGED_SECONDS - 0.5
    assert opening.now() is broken
    seconds += 0.5
    assert opening.now().damage is None
    mended = opening.now()
    assert mended != broken, "what was remembered of the damaged one is not taken for this one's"
    seconds += 1000
    assert opening.now() is mended


def test_what_cannot_be_read_is_damaged(published_sample: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published_sample / "publication", tmp_path / "copy"))
    for name in (
        "records/openai/2026-06-20.0.json",
        "prices/2026-06-21.json",
        "log/heads/100",
        PROOF,
        "vkey",
    ):
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()
    with serving(folder) as site:
        for path in (
            *("series/openai/points/2026-06-20?vintage=0", "series/openai/points?start=2026-06-20"),
            *("series/openai/points/2026-06-20/proof?vintage=0", "prices/2026-06-21", "log/checkpoint"),
        ):
            answer = ask(site, f"/v1/{path}")
            assert (answer.status, answer.code) == (503, "publication_damaged"), path
            assert str(tmp_path) not in answer.body.decode()
        for path in ("series/openai/2026-06-20/0", "records/openai/2026-06-20.0.json", "vkey", PROOF):
            assert ask(site, f"/{path}").status == 503, path
        (folder / "log" / "checkpoint").unlink()
        (folder / "log" / "checkpoint").mkdir()
        for path in ("v1/series", "v1/log/checkpoint", "log/checkpoint", "readyz"):
            assert ask(site, f"/{path}").status == 503, path

"""What a publication costs to extend and to verify, against plain sha256 of the same bytes.

These are the parts `publish`, `verify` and `proofs` of `bench.py`.

The publications are made up (`made_up_publication.py`): every fixing date has six records of 40 constituents in all,
resting on 48 captures of prices a day, and was published by itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench import Cost, mtok, print_costs, print_ratio, run

HERE = Path(__file__).parent
YEARS_DAYS = 730
PART_DAYS = 40
SERIES, LAST_DATE = "openai", "2028-12-30"
VKEY_GLOB = "*.vkey"

HASH_LISTED = """
import hashlib, sys
for line in open(sys.argv[1]):
    hashlib.sha256(open(line.rstrip("\\n"), "rb").read()).digest()
"""
"""The baseline: the same process, reading and hashing the files of a list and nothing else."""

PUBLISH_NEXT = """
import pickle, sys
sys.modules["numpy"] = sys.modules["pandas"] = None  # only tests need them; pyarrow imports them where they are
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from made_up_publication import publish_one
from mtok.archive import Store
store = Store.open(Path(sys.argv[2]))
one = pickle.loads(Path(sys.argv[3]).read_bytes())
opened = []
if len(sys.argv) > 4:
    sys.addaudithook(lambda event, given: opened.append(given[0]) if event == "open" else None)
with store.writing():
    publish_one(store, one)
if len(sys.argv) > 4:
    below = {str(path) for path in opened if str(path).startswith(sys.argv[2])}
    kept = sorted(path for path in below if Path(path).is_file())
    Path(sys.argv[4]).write_text("".join(path + "\\n" for path in kept))
"""
"""Publish one date that was determined before; with a fourth argument, list the files that were read or written."""

TREE = """
import sys
from hashlib import sha256
from mtok.proofs import Tree, leaf_hash
leaves = [b"%0300d" % number for number in range(365_250)]
if sys.argv[1] == "tree":
    Tree(map(leaf_hash, leaves)).root()
elif sys.argv[1] == "plain":
    for leaf in leaves:
        sha256(leaf).digest()
"""

PROOF = """
import sys, timeit
from time import process_time
from mtok.notes import Checkpoint, PrivateKey, open_note, sign_note
from mtok.proofs import Tree, check_inclusion, leaf_hash
entries = [b"%0300d" % number for number in range(10_000)]
tree = Tree(map(leaf_hash, entries))
key = PrivateKey(name="index.example.org/log", seed=bytes(32))
note = sign_note(Checkpoint(origin="index.example.org/log", size=tree.size, root=tree.root()).text, key)
path, public, signature = tree.inclusion(7), key.public, key.sign(b"message")
def proof():
    head = Checkpoint.parse(open_note(note, [public]).text)
    assert check_inclusion(7, head.size, leaf_hash(entries[7]), path, head.root)
def bare():
    assert public.verifies(signature, b"message")
def cost(check):
    return min(timeit.repeat(check, timer=process_time, number=200, repeat=3)) / 200
pairs = [(cost(proof), cost(bare)) for _ in range(5)]
proofs, bares = sorted(a for a, _ in pairs), sorted(b for _, b in pairs)
print(f"  one inclusion proof in a tree of 10,000 with its signed head: {proofs[2] * 1e6:.0f} us")
print(f"  one Ed25519 verification alone: {bares[2] * 1e6:.0f} us, ratio {sorted(a / b for a, b in pairs)[2]:.2f}")
"""


def stores(recordings: Path, scratch: Path) -> dict[str, Path]:
    """Make the publications that are not there yet: of two years, of forty dates; and the store they come from."""
    template = scratch / "template"
    raw = max((recordings / "models").glob("*.json.gz"))
    if not template.exists():
        _must([sys.executable, str(HERE / "made_up_store.py"), "--template", str(raw), str(template), "23"])
    found = {}
    for name, days in (("two years", YEARS_DAYS), ("forty dates", PART_DAYS)):
        store = found[name] = scratch / name.replace(" ", "-")
        if not store.exists():
            script = str(HERE / "made_up_publication.py")
            whole = ["--whole"] if days == PART_DAYS else []
            _must([sys.executable, script, "--template", str(template), *whole, str(store), str(days)])
    return found


def _must(command: list[str]) -> None:
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"failed: {' '.join(command)}")


def side_by_side(
    title: str, ours: list[str], theirs: list[str], rounds: int, *, fresh: tuple[Path, Path] | None = None
) -> None:
    """Print medians of a command and its baseline in turn; the baseline is run once before, which warms the caches.

    fresh : (a store, the copy of it that each round begins with)
    """
    pairs: list[tuple[Cost, Cost]] = []
    if not fresh:
        run(theirs)
    for _ in range(rounds):
        if fresh:
            shutil.rmtree(fresh[1], ignore_errors=True)
            shutil.copytree(*fresh, copy_function=os.link)
        pairs.append((run(ours), run(theirs)))
    print(f"\n{title}")
    print_costs("mtok", [one for one, _ in pairs])
    print_costs("baseline", [one for _, one in pairs])
    print_ratio("ratio", [one for one, _ in pairs], [one for _, one in pairs])
    sys.stdout.flush()


def listing(folder: Path, path: Path) -> tuple[Path, str]:
    """Write the files of a folder into a list; return it and how much they are."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    path.write_text("".join(f"{file}\n" for file in files))
    size = sum(file.stat().st_size for file in files)
    return path, f"{len(files)} files, {size / 1e6:.0f} MB"


def measure_publishing(recordings: Path, scratch: Path, rounds: int) -> None:
    """Publish the date after those of a publication, against hashing the files that this reads and writes."""
    for name, store in stores(recordings, scratch).items():
        copy, made, opened = scratch / "copy", scratch / f"{store.name}.next", scratch / "opened"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(store, copy, copy_function=os.link)
        again = [sys.executable, "-c", PUBLISH_NEXT, str(HERE), str(copy), str(made)]
        run([*again, str(opened)])
        paths = opened.read_text().splitlines()
        size = sum(Path(path).stat().st_size for path in paths)
        side_by_side(
            f"publishing one date after {name}, against sha256 of the {len(paths)} files ({size / 1e6:.0f} MB) it "
            "reads or writes",
            again,
            [sys.executable, "-c", HASH_LISTED, str(opened)],
            rounds,
            fresh=(store, copy),
        )
        shutil.rmtree(copy)


def measure_verifying(recordings: Path, scratch: Path, rounds: int) -> None:
    """Verify publications at each level, against hashing their files."""
    found = stores(recordings, scratch)
    os.environ["XDG_STATE_HOME"] = str(scratch / "state")
    for name, store in reversed(found.items()):
        folder = store / "publication"
        listed, size = listing(folder, scratch / "listed")
        baseline = [sys.executable, "-c", HASH_LISTED, str(listed)]
        key = str(next((store / "keys").glob(VKEY_GLOB)))
        verify = mtok("verify", str(folder), "--key", key)
        side_by_side(
            f"verifying {name}, log and arithmetic, against sha256 of all of it ({size})",
            verify,
            baseline,
            rounds,
        )
        if name == "forty dates":
            side_by_side(
                f"verifying {name} with --recompute: the rules run again",
                [*verify, "--recompute"],
                baseline,
                min(rounds, 3),
            )
            script = HERE.parent / "src" / "mtok" / "publication" / "parcel" / "verify.py"
            standalone = [
                sys.executable,
                "-I",
                str(script),
                str(folder),
                "--key",
                Path(key).read_text().strip(),
            ]
            side_by_side(f"{name} by the standalone verify.py", standalone, baseline, min(rounds, 3))
    store = found["two years"]
    parcel = scratch / "parcel.zip"
    parcel.unlink(missing_ok=True)
    run(mtok("evidence", SERIES, LAST_DATE, "--store", str(store), "--out", str(parcel)))
    unpacked = scratch / "parcel"
    shutil.rmtree(unpacked, ignore_errors=True)
    shutil.unpack_archive(parcel, unpacked)
    listed, size = listing(unpacked, scratch / "listed")
    side_by_side(
        f"one parcel by the verify.py in it, against sha256 of its files ({size})",
        [sys.executable, "-I", str(HERE.parent / "src/mtok/publication/parcel/verify.py"), str(unpacked)],
        [sys.executable, "-c", HASH_LISTED, str(listed)],
        rounds,
    )


def measure_proofs(rounds: int) -> None:
    """The tree of a thousand years of a daily entry, and one proof."""
    side_by_side(
        "the root of 365,250 leaves of 300 bytes, against one sha256 a leaf (making the leaves included in both)",
        [sys.executable, "-c", TREE, "tree"],
        [sys.executable, "-c", TREE, "plain"],
        rounds,
    )
    print("\none proof, in one process", flush=True)
    subprocess.run([sys.executable, "-c", PROOF], check=True)

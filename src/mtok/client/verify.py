"""A publication, verified from its public key alone: its log, its files, and the arithmetic of every record.

Nothing the publisher says is believed before it has been recalculated, and nothing here runs the program that made
it. Two levels are reached here: `log` (everything is what was signed, in its form and order) and `arithmetic` (every
number follows from the record, the published parameters and the records before). Rules and decoding lie beyond:
`Report.with_level` takes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtok.client.arithmetic import Parameters
from mtok.client.content import Malformed, quoted
from mtok.client.editions import Editions, Method
from mtok.client.entries import Ledger, Numbered, publications
from mtok.client.files import SUMS, Files, Sums, check_methodology, check_nothing_else
from mtok.client.findings import Findings, Report
from mtok.client.log import Log, check_heads, check_seen, check_tiles, read_log
from mtok.client.marks import Marks
from mtok.client.proving import Prover
from mtok.client.source import Source
from mtok.errors import BadCall
from mtok.notes import Checkpoint, PublicKey
from mtok.progress import Progress, silent


def verify(
    source: Source,
    keys: Sequence[PublicKey],
    *,
    seen: Sequence[Checkpoint] = (),
    progress: Progress = silent,
) -> Report:
    """Return what is found of a publication.

    keys : whose signatures are believed; a key that the log replaced leads to the one that signs now
    seen : checkpoints of this log from earlier verifications, each of which the log must still begin with
    Raises MtokError when there is no checkpoint, the source cannot be asked, or the call makes no sense.
    """
    if not keys:
        raise BadCall("key_missing", "no public key was given", "Name the key the publisher is known by.")
    findings = Findings()
    log = read_log(source, keys, findings, progress)
    if log is None:
        return _report(findings, None, listed=False)
    for earlier in seen:
        if earlier.origin != log.checkpoint.origin:
            raise BadCall(
                "seen_of_another_log",
                f"the earlier checkpoint is of {quoted(earlier.origin)}, this log is {quoted(log.checkpoint.origin)}",
                "Name a checkpoint of this log.",
            )
        check_seen(log, earlier, findings)
    check_tiles(source, log, findings, progress)
    check_heads(source, log, findings, progress)
    files = Files(source, findings)
    sums = Sums(source, log, findings)
    methods = _check_entries(log, files, sums, findings, progress)
    _check_in_force(log, methods, files, findings)
    sums.check(files, findings, progress)
    paths = source.paths()
    if paths is not None:
        check_nothing_else(paths, {SUMS, *log.implied, *sums.listed, *files.implied}, findings)
    return _report(findings, log, listed=paths is not None)


def _report(findings: Findings, log: Log | None, *, listed: bool) -> Report:
    return Report(
        findings=tuple(findings.listed),
        more=findings.more,
        counts=dict(sorted(findings.counts.items())),
        passed_over=dict(sorted(findings.passed_over.items())),
        checkpoint=log.checkpoint if log else None,
        key=log.key if log else None,
        listed=listed,
    )


def _check_entries(
    log: Log, files: Files, sums: Sums, findings: Findings, progress: Progress
) -> list[Numbered]:
    """Check the publications one after the other; returns the `method` entries."""
    prover = Prover(log, files, findings)
    editions, marks = Editions(files, prover, findings), Marks(log, files, prover, findings)

    def order(methodology: str, series: str) -> int | None:
        method = editions.methods.get(methodology)
        known = method.parameters if method else None
        return known.order.get(series) if known else 0

    ledger = Ledger(order=order, findings=findings)
    methods: list[Numbered] = []
    for publication in publications(log, findings):
        progress("checking publications", publication.number, len(log.ends))
        for entry in publication.of("method"):
            methods.append(entry)
            _announce(entry, editions, files, sums, findings)
        ledger.take(publication)
        editions.take(publication)
        marks.take(publication)
    progress("checking publications", len(log.ends), len(log.ends))
    return methods


def _announce(entry: Numbered, editions: Editions, files: Files, sums: Sums, findings: Findings) -> None:
    content = entry.content
    before = editions.methods.get(content["methodology"])
    for name in ("rules_sha256", "parameters_sha256"):
        if before and before.entry[name] != content[name]:
            findings.add(
                "method_changed",
                f"{entry.where}, field {name}",
                f"methodology {content['methodology']} was announced with {before.entry[name]}",
            )
    raw = check_methodology(content, sums, files, findings, entry.where)
    parameters = None
    if raw is not None:
        try:
            parameters = Parameters(raw)
            if parameters.methodology != content["methodology"]:
                raise Malformed(f"parameters of {parameters.methodology[:40]!a}")
        except Malformed as error:
            parameters = None
            path = f"methodology/{content['methodology']}/parameters.toml"
            findings.add("parameters_refused", path, str(error))
    editions.methods[content["methodology"]] = Method(entry=content, parameters=parameters)
    editions.policy = content["policy_sha256"]


def _check_in_force(log: Log, methods: list[Numbered], files: Files, findings: Findings) -> None:
    """Check the copies of what is in force: rulebook, policy and key."""
    if methods:
        last = methods[-1].content
        files.has("rulebook.md", last["rulebook_sha256"])
        files.has("policy.toml", last["policy_sha256"])
    raw = files.read("vkey")
    if raw is not None and raw.removesuffix(b"\n") != str(log.key).encode():
        findings.add("signer_wrong", "vkey", f"{log.key} expected, {quoted(raw[:200])} found")

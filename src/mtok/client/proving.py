"""Proof files: each must show its entry in the log by the checkpoint it carries, without anything else."""

from __future__ import annotations

from mtok.client.content import quoted
from mtok.client.files import Files
from mtok.client.findings import Findings
from mtok.client.log import Log, check_signers
from mtok.notes import Checkpoint, NoteRefused, open_note
from mtok.proofs import check_inclusion, decode_proof, leaf_hash


class Prover:
    """Checks proof files of one log. Checkpoints that were checked once are remembered."""

    def __init__(self, log: Log, files: Files, findings: Findings) -> None:
        self._log = log
        self._files = files
        self._findings = findings
        self._sizes = {log.tree.size, *log.ends}
        self._heads: dict[bytes, Checkpoint | str] = {}

    def check(self, path: str, index: int) -> None:
        """Check the proof file of an entry."""
        self._log.implied.add(path)
        raw = self._files.read(path)
        if raw is None:
            return
        self._findings.count("proofs")
        if refusal := self._refusal(raw, index, path):
            self._findings.add("proof_refused", path, refusal, "Make the proof again from the log.")

    def _refusal(self, raw: bytes, index: int, path: str) -> str | None:
        """Return why the proof does not prove entry `index`, None when it does."""
        try:
            proof = decode_proof(raw)
        except ValueError as error:
            return str(error)[:300]
        if proof.index != index:
            return f"it is about entry {proof.index}, not {index}"
        if proof.extra is not None:
            return "it has an extra line"
        head = self._head(proof.checkpoint, path)
        if isinstance(head, str):
            return head
        leaf = leaf_hash(self._log.entries[index])
        if not check_inclusion(index, head.size, leaf, proof.hashes, head.root):
            return f"its {len(proof.hashes)} hashes do not lead from entry {index} to the root of size {head.size}"
        return None

    def _head(self, raw: bytes, path: str) -> Checkpoint | str:
        if raw not in self._heads:
            self._heads[raw] = self._read_head(raw, path)
        return self._heads[raw]

    def _read_head(self, raw: bytes, path: str) -> Checkpoint | str:
        try:
            head = Checkpoint.parse(open_note(raw, self._log.keys).text)
        except NoteRefused as error:
            return f"its checkpoint: {str(error)[:300]}"
        if head.origin != self._log.checkpoint.origin:
            return f"its checkpoint is of another log, {quoted(head.origin)}"
        if head.size not in self._sizes:
            return f"its checkpoint has size {head.size}, which no publication ended with"
        if head.root != self._log.tree.root(head.size):
            return f"its checkpoint of size {head.size} has another root than the log"
        if not check_signers(raw, head.size, self._log, path, self._findings):
            return "its checkpoint was not signed by the key of its time"
        return head

"""docs/client.ipynb runs from beginning to end on a local store, and is committed without what it printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "client.ipynb"


@pytest.fixture
def notebook() -> Any:
    return nbformat.reads(NOTEBOOK.read_text(), as_version=4)  # type: ignore[no-untyped-call]


def test_it_is_committed_clean(notebook: Any) -> None:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) == 9
    assert not [cell for cell in code if cell.outputs or cell.execution_count]
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_every_cell_runs(
    notebook: Any, published_sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "store").symlink_to(published_sample)
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert {output.output_type for output in outputs} == {"stream", "execute_result"}
    assert {output.get("name", "stdout") for output in outputs} == {"stdout"}
    shown = "".join(output.get("text") or output["data"]["text/plain"] for output in outputs)
    latest = json.loads((published_sample / "publication" / "latest.json").read_text())["points"]
    for point in latest:
        assert f"{point['series']:14} {point['date']}  {point['value']:>10}" in shown
    assert "vintage 1 final 12.849514" in shown
    assert "2026-06-25 vintage 0 prelim withheld" in shown
    assert "True arithmetic" in shown

"""The notebooks of the docs run, and every cell that ends with a figure or a result shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs nbclient (extra [test])")
pytest.importorskip("nbclient", reason="needs nbclient (extra [test])")
pytest.importorskip("ipykernel", reason="needs ipykernel (extra [test])")
FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_they_are_kept_without_outputs() -> None:
    assert len(NOTEBOOKS) >= 3
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, 4).cells:
            assert not cell.get("outputs"), path.name
            assert not cell.get("execution_count"), path.name


def test_they_run(tmp_path: Path) -> None:
    """One kernel runs all of them, one after the other."""
    from nbclient import NotebookClient

    whole = nbformat.v4.new_notebook()
    whole.cells = [cell for path in NOTEBOOKS for cell in nbformat.read(path, 4).cells]
    NotebookClient(whole, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell in whole.cells:
        if cell.cell_type != "code":
            continue
        last = cell.source.splitlines()[-1]
        shown = [output.data for output in cell.outputs if output.output_type == "execute_result"]
        assert len(shown) == 1, cell.source
        assert ("image/png" if "draw_" in last else "text/html") in shown[0], cell.source

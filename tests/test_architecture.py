"""The table in ARCHITECTURE.md is true: who lives where, who may import whom."""

import ast
import re
from pathlib import Path

import evalkit

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "evalkit"


def rows() -> dict[str, int]:
    table = re.findall(r"^\| (\d+) \| (.+?) \|", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {module: int(row) for row, modules in table for module in re.findall(r"`(\w+)`", modules)}


def imports(source: str) -> set[str]:
    """The evalkit modules that a source imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("evalkit"):
            found |= {node.module.partition(".")[2]} - {""} or {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("evalkit.")}
    return found


def upward(sources: dict[str, str]) -> list[str]:
    known = rows()
    return [
        f"{name} → {used}" for name, text in sources.items() for used in imports(text) if known[used] >= known[name]
    ]


def sources() -> dict[str, str]:
    return {
        path.stem: path.read_text(encoding="utf-8") for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")
    }


def test_every_module_has_its_row():
    assert set(rows()) == set(sources())


def test_no_module_imports_upward_or_sideways():
    assert upward(sources()) == []


def test_the_guard_sees_upward_and_sideways_imports():
    assert upward({"reading": "def f():\n    from evalkit.cleaning import clean"}) == ["reading → cleaning"]
    assert upward({"study": "import evalkit.tables"}) == ["study → tables"]


def test_only_figures_and_the_paper_that_saves_them_import_matplotlib():
    assert {name for name, text in sources().items() if re.search(r"(from|import) matplotlib", text)} == {
        "figures",
        "paper",
        "pictures",
        *(f"{part}_figures" for part in ("index", "case", "register", "training", "workshop")),
    }


def test_public_names_load_lazily():
    assert all(getattr(evalkit, name) is not None for name in evalkit.__all__)


def test_notebooks_define_no_functions_and_have_one_parameters_cell():
    import nbformat

    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        code = [cell for cell in cells if cell.cell_type == "code"]
        assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1, path.name
        for cell in code:
            nodes = list(ast.walk(ast.parse(cell.source)))
            assert not [n for n in nodes if isinstance(n, (ast.FunctionDef, ast.Lambda, ast.ClassDef))], path.name
        for cell in cells:
            if cell.cell_type == "markdown":
                assert len({"vi", "en"} & set(cell.metadata["tags"])) == 1, (path.name, cell.source[:40])

"""Notebooks → documents: run them on a study, and write what they show as a whole report or not at all."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from io import BytesIO
from os.path import relpath
from pathlib import Path
from typing import Any

import pandas as pd

from evalkit.checking import check
from evalkit.errors import DataError, Problem, raise_any
from evalkit.language import Language, label, plain, text
from evalkit.licence import compares, licence
from evalkit.parts import parts_of
from evalkit.spreadsheets import safe_csv
from evalkit.study import Study
from evalkit.tables import markdown

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
CHAPTERS = {  # the notebooks of a report in their order, and the part of the study that each is about
    "report": None,
    "01_cleaning": None,
    "02_indicators": None,
    "03_before_after": None,
    "04_robustness": None,
    "05_planning": None,
    "06_indices": "context",
    "07_cases": "cases",
    "08_training": "training",
    "09_council": "council",
    "10_workshop": "workshop",
    "11_registers": "registers",
}
MOST_KERNELS = 4  # each takes a processor and some 300 MB
_MARK = "evalkit"  # the key of output metadata under which a notebook says what it shows
# Raw HTML and TeX stay off: a label from a study file is data, never markup.
_READER = "markdown-raw_html-raw_tex-raw_attribute-tex_math_dollars-citations-yaml_metadata_block-smart"


@dataclass
class Paper:
    """Where a notebook shows things: on its page, and in the report's folder when it runs for a report.

    `output` is that folder, or empty to show only. Captions are catalogue texts, filled with `values`.
    """

    study: Study
    output: str = ""
    language: Language | str = ""

    def __post_init__(self) -> None:
        self.language = self.language or self.study.language

    def text(self, *paragraphs: str) -> None:
        """Show Markdown paragraphs."""
        self._show("\n\n".join(paragraphs) + "\n", {"kind": "text"})

    def table(self, name: str, frame: pd.DataFrame, *, real: bool = False, **values: Any) -> None:
        """Show a table under its caption `table_<name>`; saved as tables/<name>.csv for Excel.

        real: the data are not those of the study, and no simulation even where the study is one.
        """
        caption = self._caption(f"table_{name}", values, real)
        self._save(f"tables/{self._file(name, values)}.csv", safe_csv(frame, encoding="utf-8-sig"))
        self._show(f"**{plain(caption)}**\n\n{markdown(frame)}", {"kind": "table", "caption": caption})

    def figure(self, name: str, axes: Any, *, real: bool = False, **values: Any) -> None:
        """Show a figure under its caption `figure_<name>`; saved as PNG (300 dpi) and SVG; `real` as in `table`."""
        from IPython.display import display
        from matplotlib import pyplot as plt

        caption = self._caption(f"figure_{name}", values, real)
        file = self._file(name, values)
        figure = axes.figure
        png = _rendered(figure, "png", 100)
        if self.output:
            self._save(f"figures/{file}.png", _rendered(figure, "png", 300))
            self._save(f"figures/{file}.svg", _rendered(figure, "svg", 300))
        plt.close(figure)
        shown = {"kind": "figure", "file": f"figures/{file}.svg", "caption": caption}
        display({"image/png": png, "text/plain": caption}, metadata={_MARK: shown}, raw=True)

    def data(self, name: str, frame: pd.DataFrame) -> None:
        """Save a table of data unrounded, as <name>.csv."""
        self._save(f"{name}.csv", safe_csv(frame))

    def _caption(self, key: str, values: dict[str, Any], real: bool) -> str:
        caption = text(key, self.language, **values)  # type: ignore[arg-type]
        if self.study.declared.study.simulated and not real:
            caption += f" ({text('simulated_small', self.language)})"  # type: ignore[arg-type]
        return caption

    def _file(self, name: str, values: dict[str, Any]) -> str:
        return "_".join([name, *([values["code"]] if "code" in values else [])])

    def _save(self, name: str, data: bytes) -> None:
        if self.output:
            path = Path(self.output) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def _show(self, source: str, shown: dict[str, Any]) -> None:
        from IPython.display import display

        display({"text/markdown": source}, metadata={_MARK: shown}, raw=True)


def _rendered(figure: Any, kind: str, dpi: int) -> bytes:
    stream = BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    figure.savefig(stream, format=kind, dpi=dpi, metadata=metadata)
    return stream.getvalue()


def run(
    folder: str | Path,
    reports: str | Path = "reports",
    *,
    language: Language | None = None,
    allow_outside: bool = False,
    progress: Callable[..., None] | None = None,
) -> Path:
    """Run the notebooks on a study folder and write `<reports>/<study>/`; returns that folder.

    It holds report.html, effects.csv, log.csv, mapping.csv, figures/, tables/ and the executed notebooks/. The
    folder is replaced as a whole when everything has worked, else the last report stays. Raises DataError for
    what is wrong with the study, or where a file of the last report is held open.

        ek.run("data/nga-bay")
    """
    study, _ = check(folder, allow_outside=allow_outside)  # what is wrong is said before any notebook runs
    raise_any(notice for notice in study.notices if notice.key == "period_missing")
    language = language or study.language
    target = Path(reports) / Path(folder).resolve().name
    with _replaced(target) as new:
        notebooks = _execute(study, new, language, progress)
        origin = {
            "study": _relative(study.folder, target),
            "language": language,
            "allow_outside": allow_outside,
        }
        (new / "run.json").write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8", newline="\n")
        (new / "report.html").write_text(_html(study, new, notebooks, language), encoding="utf-8", newline="\n")
    return target


@contextmanager
def _replaced(target: Path) -> Iterator[Path]:
    """A new folder that takes the target's place when the block has ended well, and is gone when it has not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _refuse_held_open(target)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    new, old = work / "new", work / "old"
    new.mkdir()
    try:
        yield new
        _refuse_held_open(target)
        try:
            if target.exists():
                target.rename(old)
            new.rename(target)
        except OSError:
            if old.exists() and not target.exists():
                old.rename(target)
            raise DataError([Problem(str(target), "report_open", {"file": "report.html"})]) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _refuse_held_open(target: Path) -> None:
    """Raise DataError where another program holds a file of the last report, as Word with its `~$` lock beside it."""
    files = sorted(path for path in target.glob("*.*") if path.is_file())
    for path in files:
        held = None
        if path.name.startswith("~$"):
            held = next((file.name for file in files if file.name.endswith(path.name[2:]) and file != path), None)
        else:
            try:
                path.open("r+b").close()
            except PermissionError:
                held = path.name
        if held:
            raise DataError([Problem(str(target), "report_open", {"file": held})])


def _execute(study: Study, output: Path, language: Language, progress: Callable[..., None] | None) -> dict[str, Any]:
    import nbformat
    from nbclient import NotebookClient

    wanted = [name for name, part in CHAPTERS.items() if part is None or part in parts_of(study)]
    sources = {name: nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4) for name in wanted}
    total, done = sum(len(notebook.cells) for notebook in sources.values()), 0
    (output / "notebooks").mkdir()

    def executed(**_: Any) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(completed=done, total=total)

    clients = {}
    for name, notebook in sources.items():
        _set_parameters(
            notebook,
            folder=_relative(study.folder, output),
            output=".",
            language=language,
            allow_outside=study.allow_outside,
        )
        clients[name] = NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            record_timing=False,
            shutdown_kernel="immediate",
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(output)}},
            on_cell_executed=executed,
        )
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(_run_notebooks(clients))
    for name, notebook in sources.items():
        nbformat.write(notebook, output / "notebooks" / f"{name}.ipynb")
    return sources


class _Loop(asyncio.SelectorEventLoop):  # the one that ZeroMQ needs on Windows
    """A loop that leaves Ctrl-C to its runner: nbclient's own handler would end one kernel and go on."""

    def add_signal_handler(self, *_: Any) -> None:  # type: ignore[override]
        raise RuntimeError


async def _run_notebooks(clients: dict[str, Any]) -> None:
    """Run notebooks side by side, as many as there are processors; the first that fails ends the others."""
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    free = asyncio.Semaphore(min(os.cpu_count() or 1, MOST_KERNELS))

    async def one(name: str, client: Any) -> None:
        async with free:
            try:
                await _run_cells(client)
            except (CellExecutionError, DeadKernelError) as error:
                reason = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else str(error)
                raise DataError([Problem(f"{name}.ipynb", "notebook_failed", {"reason": reason})]) from error

    tasks = [asyncio.create_task(one(name, client)) for name, client in clients.items()]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        # `wait` raises nothing, so that every kernel is ended before an interrupt goes on its way.
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for client in clients.values():
            if client.km is None:  # stopped while it started: nbclient would look for its kernel at exit
                atexit.unregister(client._cleanup_kernel)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _run_cells(client: Any) -> None:
    """Run a notebook's cells. Ctrl-C comes as KeyboardInterrupt, after the kernel was ended."""
    from nbclient.exceptions import DeadKernelError

    async with client.async_setup_kernel():
        try:
            for index, cell in enumerate(client.nb.cells):
                await client.async_execute_cell(cell, index)
        except DeadKernelError:
            task = asyncio.current_task()
            if task is None or not task.cancelling():  # nbclient reports its own cancellation as a dead kernel
                raise


def _relative(path: Path, start: Path) -> str:
    """A path as seen from a report folder, so that nothing in it depends on the machine."""
    try:
        return Path(relpath(path.resolve(), start.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return path.resolve().as_posix()


def _set_parameters(notebook: Any, **parameters: Any) -> None:
    """Give the cell tagged `parameters` these values."""
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    cell.source = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())


def _html(study: Study, output: Path, notebooks: dict[str, Any], language: Language) -> str:
    """The report as one self-contained page, by pandoc in its sandbox."""
    import pypandoc

    declared = study.declared.study
    parts = [part for notebook in notebooks.values() for part in _parts(notebook, {language, *_traits(study)})]
    source = _markdown(parts, output, language)
    metadata = {
        "title": label(declared.title, language),
        "author": label(declared.organisation, language),
        "lang": language,
        "toc-title": text("contents", language),
        "kind": text(f"report_kind_{declared.row}", language),
    }
    if declared.simulated:
        metadata["banner"] = text("simulated", language)
    with as_file(files("evalkit") / "templates") as templates:
        styles = (templates / "report.css").read_text(encoding="utf-8")
        command = [pypandoc.get_pandoc_path(), "--sandbox", "--standalone", "--toc", "--toc-depth=2"]
        command += [
            "--number-sections",
            "--columns=10000",
            "--wrap=none",
            f"--template={templates / 'report.html'}",
        ]
        command += [f"--from={_READER}", "--to=html5", f"--variable=styles={styles}"]
        command += [f"--metadata={key}={value}" for key, value in metadata.items()]
        result = subprocess.run(command, input=source.encode("utf-8"), capture_output=True, check=False)
    if result.returncode or result.stderr:
        raise RuntimeError(f"pandoc: {result.stderr.decode('utf-8', 'replace')}")
    return result.stdout.decode("utf-8")


def _traits(study: Study) -> set[str]:
    """What a study has that some text of the notebooks speaks of; such text is tagged with it."""
    traits: set[str] = {study.declared.study.row, *parts_of(study)}
    if any(node.target is not None for node in study.index.values()):
        traits.add("targets")
    if compares(study):
        traits.add("comparison")
    if len(study.declared.waves) > 2:
        traits.add("series")
    traits.add("described" if licence(study) == "describe" else "changes")
    if study.design.followed:
        traits.add("panel")
    if any(unit.population for unit in study.declared.units):
        traits.add("population")
    if study.declared.costs and any(arm != "pilot" for arm in study.design.arms.values()):
        traits.add("costs")
    return traits


def _parts(notebook: Any, tags: set[str]) -> Iterator[dict[str, Any]]:
    """What a notebook shows, in order: its text as far as all its tags are wanted, and its cells' outputs."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and set(cell.metadata["tags"]) <= tags:
            yield {"kind": "text", "body": cell.source}
        for displayed in cell.get("outputs", []):
            if _MARK in displayed.get("metadata", {}):
                yield displayed["metadata"][_MARK] | {"body": displayed["data"].get("text/markdown", "")}


def _markdown(parts: list[dict[str, Any]], output: Path, language: Language) -> str:
    """The parts as one Markdown document, tables and figures numbered."""
    counted = {"table": 0, "figure": 0}
    blocks = []
    for part in parts:
        kind = part["kind"]
        if kind in counted:
            counted[kind] += 1
            caption = f"{text(f'caption_{kind}', language, n=counted[kind])} {plain(part['caption'])}"
        if kind == "figure":
            # The sandbox opens no files, so the picture itself stands in the text.
            image = b64encode((output / part["file"]).read_bytes()).decode("ascii")
            blocks.append(f"![{caption}](data:image/svg+xml;base64,{image})")
        elif kind == "table":
            rows = part["body"].partition("\n\n")[2]
            blocks.append(f"::: table\n{rows}\n: {caption}\n:::")
        else:
            blocks.append(part["body"])
    return "\n\n".join(blocks)

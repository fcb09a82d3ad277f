"""Run notebooks on a study, side by side, each in a process of its own, for one report folder."""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Callable
from os.path import relpath
from pathlib import Path
from typing import Any

from evalkit.errors import DataError, Problem
from evalkit.language import Language
from evalkit.study import Study

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
MOST_KERNELS = 4  # each takes a processor and some 300 MB


def execute(
    study: Study, names: list[str], output: Path, language: Language, progress: Callable[..., None] | None = None
) -> dict[str, Any]:
    """Run notebooks side by side on a study for the report folder `output`; returns them executed, by name.

    They are saved in its notebooks/. progress: called with `completed` and `total` cells. Raises DataError naming
    the notebook and the cell that failed.
    """
    import nbformat
    from nbclient import NotebookClient

    sources = {name: nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4) for name in names}
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
            folder=relative_path(study.folder, output),
            output=".",
            language=language,
            allow_outside=study.allow_outside,
            unit=study.only,
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
            except RuntimeError as error:  # a kernel that did not start in time
                raise DataError([Problem(f"{name}.ipynb", "notebook_failed", {"reason": error})]) from error

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


def relative_path(path: Path, start: Path) -> str:
    """A path as seen from a report folder, so that nothing in it depends on the machine."""
    try:
        return Path(relpath(path.resolve(), start.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return path.resolve().as_posix()


def _set_parameters(notebook: Any, **parameters: Any) -> None:
    """Give the cell tagged `parameters` these values."""
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    cell.source = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())

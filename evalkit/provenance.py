"""What a report was made from: the files of the study by their SHA-256, and the software by its versions."""

from __future__ import annotations

import platform
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evalkit.study import Study

PACKAGES = ("evalkit", "numpy", "pandas", "scipy", "statsmodels", "matplotlib")
LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"


def provenance(study: Study) -> dict[str, Any]:
    """`inputs`: SHA-256 by file of the study; `software`: versions; `lock`: SHA-256 of the locked packages."""
    return {"inputs": inputs(study), "software": software(), "lock": _digest(LOCK) if LOCK.exists() else ""}


def inputs(study: Study) -> dict[str, str]:
    """SHA-256 of every file of a study folder, and of the raw files that lie outside it, by its name in the study."""
    inside = {
        path.relative_to(study.folder).as_posix(): path
        for path in study.folder.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and not path.name.startswith((".", "~$"))
    }
    outside = {wave.file: study.folder / wave.file for wave in study.declared.waves if wave.file not in inside}
    return {name: _digest(path) for name, path in sorted((inside | outside).items())}


def software() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()

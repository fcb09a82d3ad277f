"""evalkit: from the raw files of a before/after pilot to a report whose every number can be recomputed.

>>> import evalkit as ek
>>> sorted(ek.__all__)[:3]
['DataError', 'check', 'claims']
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "DataError": "errors",
    "open_study": "study",
    "read": "reading",
    "clean": "cleaning",
    "score": "indicators",
    "compare": "comparison",
    "check": "checking",
    "run": "report",
    "verify": "verification",
}
_ROOMS = (
    "claims",
    "comparability",
    "comparison",
    "estimation",
    "figures",
    "indicators",
    "licence",
    "planning",
    "prospects",
    "report",
    "robustness",
    "sample",
    "simulation",
    "tables",
    "units",
    "values",
)

__all__ = [*_HOMES, *_ROOMS]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562), so that `import evalkit` costs nothing."""
    if name in _HOMES:
        return getattr(import_module(f"evalkit.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return import_module(f"evalkit.{name}")
    raise AttributeError(f"module 'evalkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

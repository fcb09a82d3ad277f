"""evalkit: from the raw files of a before/after pilot to a report whose every number can be recomputed.

>>> import evalkit as ek
>>> sorted(ek.__all__)[:3]
['DataError', 'agreement', 'case_figures']
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "DataError": "errors",
    "open_study": "study",
    "read": "reading",
    "read_responses": "reading",
    "clean": "cleaning",
    "screen": "screening",
    "score": "indicators",
    "compare": "comparison",
    "check": "checking",
    "run": "report",
    "verify": "verification",
}
_ROOMS = (
    "agreement",
    "case_figures",
    "case_series",
    "case_tables",
    "cases",
    "claims",
    "closing_tables",
    "cleaning",
    "comparability",
    "comparison",
    "council_files",
    "council_rules",
    "council_tables",
    "estimation",
    "figures",
    "freezing",
    "index_figures",
    "index_tables",
    "indicators",
    "indices",
    "language",
    "licence",
    "parts",
    "planning",
    "planning_tables",
    "proceedings",
    "prospects",
    "record_tables",
    "register_figures",
    "register_files",
    "register_tables",
    "registers",
    "reliability",
    "reliability_effects",
    "reliability_tables",
    "paper",
    "report",
    "robustness",
    "sample",
    "screening",
    "simulation",
    "tables",
    "training",
    "training_figures",
    "training_files",
    "training_tables",
    "units",
    "values",
    "workshop_figures",
    "workshop_files",
    "workshop_tables",
    "workshops",
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

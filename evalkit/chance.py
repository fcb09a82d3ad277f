"""Random draws that are the same in every run, and, to see what depends on them, others for once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_shift = 0


def generator(seed: int) -> np.random.Generator:
    """Draws that depend on nothing but `seed`."""
    return np.random.default_rng([seed, _shift] if _shift else seed)


@contextmanager
def other_draws(shift: int = 1) -> Iterator[None]:
    """Within the block every seed gives other draws."""
    global _shift
    before, _shift = _shift, shift
    try:
        yield
    finally:
        _shift = before

"""A drawn figure as data and as words: its labels, the numbers it draws, and what to tell who cannot see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from evalkit.language import Language, number, text
from evalkit.tracing import Span, resolve

MOST_POINTS = 24  # that a series is told point by point; longer ones by their ends and extremes


def release_labels(figure: Any) -> list[tuple[str, list[Span]]]:
    """Take the traces off all labels, which would print them; returns each label with its traced numbers.

    Ticks of a numeric axis are its numbering and no results; ticks that are words are labels.
    """
    found = []
    formatters = [axis.get_major_formatter() for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    for formatter in dict.fromkeys(formatters):  # axes may share one
        if names := getattr(formatter, "seq", None):
            resolved = [resolve(str(name)) for name in names]
            formatter.seq = [words for words, _ in resolved]
            found += [one for one in resolved if not _is_number(one[0])]
    figure.draw_without_rendering()  # ticks have their labels only once they were laid out
    numbering = {id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in _ticks(axis)}
    labels = figure.findobj(lambda artist: hasattr(artist, "get_fontproperties") and hasattr(artist, "set_text"))
    for label in labels:
        if label.get_text() and id(label) not in numbering:
            words, spans = resolve(label.get_text())
            label.set_text(words)
            found.append((words, spans))
    return found


def _ticks(axis: Any) -> Iterator[Any]:
    yield axis.offsetText
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
        yield from (tick.label1, tick.label2)


def _is_number(words: str) -> bool:
    return not any(letter.isalpha() for letter in words)


def drawn_numbers(figure: Any) -> list[float]:
    """All numbers that the figure's lines, points and bars stand for, in drawing order, to nine digits."""
    values: list[Any] = []
    for axes in figure.axes:
        for line in axes.lines:
            values += [*line.get_xdata(orig=False), *line.get_ydata(orig=False)]
        for collection in axes.collections:
            for path in collection.get_paths():
                values += list(path.vertices.ravel())
            values += list(np.asarray(collection.get_offsets(), dtype=float).ravel())
        for patch in axes.patches:
            values += list(patch.get_path().vertices.ravel()) if not hasattr(patch, "get_bbox") else [
                *patch.get_bbox().extents
            ]  # fmt: skip
        for image in axes.images:
            values += list(np.ma.filled(image.get_array(), np.nan).ravel())
    numbers = np.asarray(values, dtype=float)
    return [float(f"{value:.9g}") for value in numbers[np.isfinite(numbers)]]


def described(figure: Any, caption: str, language: Language) -> str:
    """What a figure shows, in words: its caption, and each labelled series with its numbers."""
    parts = [caption]
    for axes in figure.axes:
        titles = [words for words in (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) if words]
        series = [f"{name}: {points}" for name, points in _series(axes, language)]
        if titles or series:
            parts.append(". ".join([*titles, *series]))
    return text("picture_words", language, words=". ".join(parts).replace("\n", " ").replace("..", "."))


def _series(axes: Any, language: Language) -> Iterator[tuple[str, str]]:
    by_y = bool(getattr(axes.yaxis.get_major_formatter(), "seq", None))
    for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
        points = _points(handle)
        if points is not None and len(points):
            along, value = (points[:, 1], points[:, 0]) if by_y else (points[:, 0], points[:, 1])
            yield name, _told(along, value, axes.yaxis if by_y else axes.xaxis, language)


def _points(handle: Any) -> Any:
    """The places of a labelled line, error bar, scatter or group of bars, as rows of x and y."""
    if hasattr(handle, "get_xydata"):
        return np.asarray(handle.get_xydata(), dtype=float)
    if hasattr(handle, "patches"):
        return np.array([_end_of_bar(patch, getattr(handle, "orientation", "vertical")) for patch in handle.patches])
    if hasattr(handle, "lines") and handle.lines and handle.lines[0] is not None:
        return np.asarray(handle.lines[0].get_xydata(), dtype=float)
    if hasattr(handle, "get_offsets"):
        return np.asarray(handle.get_offsets(), dtype=float)
    return None


def _end_of_bar(patch: Any, orientation: str) -> tuple[float, float]:
    if orientation == "horizontal":
        return patch.get_width(), patch.get_y() + patch.get_height() / 2
    return patch.get_x() + patch.get_width() / 2, patch.get_height()


def _told(along: Any, values: Any, axis: Any, language: Language) -> str:
    """Values with the ticks they stand at; of a long series its ends, least and greatest."""
    seen = np.isfinite(values)
    along, values = along[seen], values[seen]
    if not len(values):
        return "–"
    decimals = 0 if np.allclose(values, np.round(values)) else 1
    told = [number(float(value), decimals, language) for value in values]
    if len(values) > MOST_POINTS:
        return text("picture_series", language, first=told[0], last=told[-1],
                    least=told[int(values.argmin())], most=told[int(values.argmax())], points=len(values))  # fmt: skip
    names = [str(name).replace("\n", " ") for name in getattr(axis.get_major_formatter(), "seq", [])]
    ticks = axis.get_majorticklocs()
    if not names or len(names) != len(ticks):
        return "; ".join(told)
    return "; ".join(
        f"{names[int(np.abs(ticks - at).argmin())]} {value}" for at, value in zip(along, told, strict=True)
    )

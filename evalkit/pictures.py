"""A drawn figure as data and as words: its labels, the numbers it draws, and what to tell who cannot see it.

What is told of an artist stands under its label; one that begins with `_` is told but not in the legend (`_` alone:
without a name), and after a tab it names a single point.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from evalkit.language import Language, number, text
from evalkit.tracing import Span, as_name, resolve, unmarked

LONGEST = 1500  # characters of a text alternative that somebody may be expected to listen to
_MOST_POINTS = (24, 12, 6, 2, 0)  # that a series is told point by point; longer ones by their ends and extremes
_UNNAMED = re.compile(r"|_(child|container)\d+|_nolegend_")  # labels that matplotlib gives


class _Mark(NamedTuple):
    """A drawn value, or its interval where it has only that: of a series, at a place along the other axis."""

    series: str
    point: str
    along: float
    value: float
    low: float
    high: float
    horizontal: bool  # the value is read on the horizontal axis
    line: bool = False  # through the whole picture
    legend: bool = True


def release_labels(figure: Any) -> list[tuple[str, list[Span]]]:
    """Take the traces off all labels, which would print them; returns each label with its traced numbers.

    Ticks of a numeric axis are its numbering and no results; ticks that are words are labels.
    """
    found = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the traces, which no font knows
        figure.draw_without_rendering()  # ticks have their labels only once they were laid out
    axes = [axis for each in figure.axes for axis in (each.xaxis, each.yaxis)]
    for axis in {id(axis.major): axis for axis in axes}.values():  # axes may share one
        names = _tick_names(axis)
        resolved = [resolve(name) for name in names.values()]
        if any(words != name for (words, _), name in zip(resolved, names.values(), strict=True)) and _fixed(axis):
            axis.set_ticks(list(names), [words for words, _ in resolved])
        found += [one for one in resolved if _has_letters(one[0])]
    numbering = {id(label) for axis in axes for label in _ticks(axis)}
    labels = figure.findobj(lambda artist: hasattr(artist, "get_fontproperties") and hasattr(artist, "set_text"))
    for label in labels:
        if label.get_text() and id(label) not in numbering:
            words, spans = resolve(label.get_text())
            label.set_text(words)
            found.append((words, spans))
    return found


def drawn_numbers(figure: Any) -> list[float]:
    """All numbers that the figure's lines, points, bars and areas stand for, axes by axes.

    Coordinates have nine digits, counted from the greatest of their axis, so that the noise about a zero is none.
    """
    values: list[float] = []
    for axes in figure.axes:
        places = [line.get_xydata() for line in axes.lines]
        for collection in axes.collections:
            markers = hasattr(collection, "legend_elements")  # whose paths are their shapes
            places += [collection.get_offsets()] if markers else [path.vertices for path in collection.get_paths()]
        for patch in axes.patches:
            places.append(patch.get_bbox().get_points() if hasattr(patch, "get_bbox") else patch.get_path().vertices)
        rows = np.vstack([np.empty((0, 2)), *(np.ma.filled(place, np.nan) for place in places)])
        rows = rows[np.isfinite(rows).all(axis=1)]
        values += np.column_stack([_nine_digits(column) for column in rows.T]).ravel().tolist()
        for image in axes.images:
            cells = np.ma.filled(image.get_array().astype(float), np.nan).ravel()
            values += _nine_digits(cells[np.isfinite(cells)]).tolist()
    return values


def described(figure: Any, caption: str, language: Language) -> str:
    """What a figure shows, in words: its caption, its axes, each series with its values, each cell and mark.

    Where that is longer than LONGEST, ever shorter series are told by their ends and extremes, and at last those
    that are not in the legend together. Only what is drawn is told: a hidden number is not among the artists, or
    stands as a dot in its cell.
    """
    for most in _MOST_POINTS:
        parts = [caption]
        if figure.get_supylabel():
            parts.append(text("picture_vertical", language, words=figure.get_supylabel()))
        for axes in figure.axes:
            parts += _told_axes(axes, most, language)
        parts = [" ".join(part.split()).removesuffix(".") for part in parts]
        words = text("picture_words", language, words=". ".join(parts))
        if len(unmarked(words)) <= LONGEST:
            break
    return words


def _fixed(axis: Any) -> bool:
    return hasattr(axis.get_major_locator(), "locs")


def _tick_names(axis: Any) -> dict[float, str]:
    places = axis.get_majorticklocs()
    return dict(zip(places.tolist(), axis.get_major_formatter().format_ticks(places), strict=True))


def _ticks(axis: Any) -> Iterator[Any]:
    yield axis.offsetText
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
        yield from (tick.label1, tick.label2)


def _has_letters(words: str) -> bool:
    return any(letter.isalpha() for letter in unmarked(words))


def _of_words(axis: Any) -> bool:
    return any(map(_has_letters, _tick_names(axis).values()))


def _nine_digits(values: Any) -> Any:
    most = np.abs(values).max(initial=0)
    return np.round(values, 9 - int(np.ceil(np.log10(most)))) + 0.0 if most else values + 0.0


def _told_axes(axes: Any, most: int, language: Language) -> Iterator[str]:
    yield from filter(None, [axes.get_title(loc="left") or axes.get_title()])
    for key, words in (("picture_horizontal", axes.get_xlabel()), ("picture_vertical", axes.get_ylabel())):
        if words:
            yield text(key, language, words=words)
    marks = list(_marks(axes))
    series: dict[str, list[_Mark]] = {mark.series: [] for mark in marks}
    for mark in marks:
        series[mark.series].append(mark)
    many = any(len({mark.along for mark in some}) > most for some in series.values())
    if any(mark.point for mark in marks):
        yield from _told_parts(marks, axes, language)
    elif _of_words(axes.yaxis if _sideways(axes) else axes.xaxis) and len(series) > 1 and not many:
        yield from _told_places([mark for mark in marks if not mark.line], axes, language)
        yield from (f"{mark.series}: {_value(mark, axes, language)}" for mark in marks if mark.line)
    else:
        others = [name for name, some in series.items() if most == 0 and not any(mark.legend for mark in some)]
        for name, some in series.items():
            if name not in others:
                yield f"{name}: {_told(_joined(some), axes, most, language)}".removeprefix(": ")
        rest = [mark for name in others for mark in series[name] if np.isfinite(mark.value)]
        if rest:
            ends = [extreme(rest, key=attrgetter("value")) for extreme in (min, max)]
            least, greatest = (_value(mark, axes, language) for mark in ends)
            yield text("picture_others", language, count=len(others), least=least, most=greatest)
    yield from _words_within(axes, series, language)


def _told_parts(marks: list[_Mark], axes: Any, language: Language) -> Iterator[str]:
    """Bars put together of the same parts: the parts once, then the values of each bar in their order."""
    legend = [words.get_text() for legend in axes.figure.legends for words in legend.get_texts()]
    parts = legend or list(dict.fromkeys(mark.point for mark in marks))
    yield text("picture_parts", language, parts="; ".join(parts))
    for name, some in groupby(marks, attrgetter("series")):
        bars = []
        for at, bar in groupby(some, attrgetter("along")):
            told = {mark.point: _value(mark, axes, language) for mark in bar}
            bars.append(f"{_place(axes, at, language)} {'; '.join(told.get(part, '–') for part in parts)}")
        yield f"{name}: {', '.join(bars)}"


def _told_places(marks: list[_Mark], axes: Any, language: Language) -> Iterator[str]:
    """Place by place, the value of each series there."""
    for place, some in groupby(sorted(marks, key=lambda mark: round(mark.along)), lambda mark: round(mark.along)):
        told = [f"{mark.series} {_value(mark, axes, language)}" for mark in _joined(list(some))]
        yield f"{_place(axes, place, language)}: {'; '.join(told)}"


def _sideways(axes: Any) -> bool:
    """Whether places are along the vertical axis, and values are read on the horizontal one."""
    return _of_words(axes.yaxis)


def _marks(axes: Any) -> Iterator[_Mark]:
    """What the labelled artists draw, as far as it is within the picture."""
    for artist in (*axes.lines, *axes.collections, *axes.containers):
        label = str(artist.get_label())
        if not _UNNAMED.fullmatch(unmarked(label)):
            series, _, point = label.removeprefix("_").partition("\t")
            legend = not label.startswith("_")
            for mark in _marks_of(artist, " ".join(series.split()), point, axes):
                ends = (mark.along, mark.value if np.isfinite(mark.value) else mark.low)
                place = ends[::-1] if mark.horizontal else ends
                within = [
                    axis_low - 1e-9 <= at <= axis_high + 1e-9
                    for at, (axis_low, axis_high) in zip(
                        place, (sorted(axes.get_xlim()), sorted(axes.get_ylim())), strict=True
                    )
                    if np.isfinite(at)
                ]
                if within and all(within):
                    yield mark._replace(legend=legend)


def _marks_of(artist: Any, series: str, point: str, axes: Any) -> Iterator[_Mark]:
    sideways, none = _sideways(axes), np.nan
    if hasattr(artist, "datavalues"):  # bars
        across = artist.orientation == "horizontal"
        for patch, value in zip(artist.patches, artist.datavalues, strict=True):
            middle = patch.get_y() + patch.get_height() / 2 if across else patch.get_x() + patch.get_width() / 2
            if np.isfinite(value):
                yield _Mark(series, point, middle, float(value), none, none, across)
    elif hasattr(artist, "has_xerr"):  # points with error bars
        for part in (artist.lines[0], *artist.lines[2]):
            yield from _marks_of(part, series, point, axes) if part is not None else ()
    elif hasattr(artist, "get_segments"):  # intervals
        for (left, bottom), (right, top) in (np.asarray(one)[[0, -1]] for one in artist.get_segments() if len(one)):
            across = bottom == top and (left != right or sideways)
            yield _Mark(
                series, point, *((bottom, none, left, right) if across else (left, none, bottom, top)), across
            )
    elif hasattr(artist, "get_xydata"):
        rows, data = artist.get_xydata(), artist.get_transform().contains_branch_seperately(axes.transData)
        if not all(data):  # a line through the whole picture
            yield _Mark(series, point, none, rows[0][0 if data[0] else 1], none, none, data[0], line=True)
            return
        places = rows[np.isfinite(rows).all(axis=1)][:, :: -1 if sideways else 1]
        if len(places) == 2 and places[0][0] == places[1][0] and artist.get_marker() == "None":  # an interval
            yield _Mark(series, point, places[0][0], none, places[:, 1].min(), places[:, 1].max(), sideways)
            return
        for along, value in places:
            yield _Mark(series, point, along, value, none, none, sideways)
    elif hasattr(artist, "legend_elements"):  # markers
        for along, value in np.ma.filled(artist.get_offsets(), none)[:, :: -1 if sideways else 1]:
            yield _Mark(series, point, along, value, none, none, sideways)
    else:  # an area
        rows = np.vstack([path.vertices for path in artist.get_paths()])
        for x in np.unique(rows[:, 0]):
            here = rows[rows[:, 0] == x, 1]
            yield _Mark(series, point, x, none, here.min(), here.max(), False)


def _joined(marks: list[_Mark]) -> list[_Mark]:
    """Marks in their order along the axis, each value with the interval that is drawn about it."""
    reach = {(m.series, round(m.along, 6), m.horizontal): m for m in marks if np.isnan(m.value)}
    joined = []
    for mark in (mark for mark in marks if np.isfinite(mark.value)):
        # of a marker on an interval drawn across the values, the interval tells the axis
        across = not mark.horizontal and (mark.series, round(mark.value, 6), True) in reach and len(marks) == 2
        mark = mark._replace(along=mark.value, value=mark.along, horizontal=True) if across else mark
        own = reach.pop((mark.series, round(mark.along, 6), mark.horizontal), None)
        joined.append(mark._replace(low=own.low, high=own.high) if own else mark)
    found = joined + list(reach.values())
    return sorted(found, key=attrgetter("along"))


def _told(marks: list[_Mark], axes: Any, most: int, language: Language) -> str:
    """A series with the places of its values; of a long one its ends, least and greatest."""

    def named(mark: _Mark) -> str:
        across = mark.horizontal != _sideways(axes)  # then the place along is only where there was room
        return "" if mark.line or across else _place(axes, mark.along, language)

    def told(name: str, *some: _Mark) -> str:
        counts = Counter(unmarked(_value(mark, axes, language)) for mark in some)
        shown = {unmarked(words): words for words in (_value(mark, axes, language) for mark in some)}
        values = "; ".join(
            shown[value] if times == 1 else text("picture_times", language, value=shown[value], count=times)
            for value, times in counts.items()
        )
        return f"{name}{':' if unmarked(name)[-1:].isdigit() else ''} {values}".strip()

    axis = axes.yaxis if _sideways(axes) else axes.xaxis
    most = max(most, 1)
    if _of_words(axis) or len({mark.along for mark in marks}) <= most:
        groups = [list(some) for _, some in groupby(marks, lambda mark: unmarked(named(mark)))]
    else:
        groups = [[mark] for mark in marks]
    if (len(groups) if len(groups) > 1 else len(marks)) <= most:
        ordered = (sorted(some, key=attrgetter("value")) for some in groups)
        return "; ".join(told(named(some[0]), *some) for some in ordered)
    if len({mark[3:6] for mark in marks}) == 1:
        return _value(marks[0], axes, language)
    first, last = (told(named(mark), mark) for mark in (marks[0], marks[-1]))
    if np.isnan(marks[0].value):
        return text("picture_area", language, first=first, last=last)
    least, greatest = (one(marks, key=attrgetter("value")) for one in (min, max))
    if {least, greatest} == {marks[0], marks[-1]}:
        ticks = list(_tick_names(axis))
        between = {mark.along: mark for mark in marks if np.isclose(mark.along, ticks).any()}
        if most > 1 and 2 < len(between) <= _MOST_POINTS[1]:
            return "; ".join(told(named(mark), mark) for mark in between.values())
        return text("picture_ends", language, points=len(marks), first=first, last=last)
    extremes = [told(named(mark), mark) for mark in (least, greatest)]
    return text("picture_series", language, points=len(marks), first=first, last=last, least=extremes[0],
                most=extremes[1])  # fmt: skip


def _value(mark: _Mark, axes: Any, language: Language) -> str:
    """The value of a mark and its interval."""
    axis = axes.xaxis if mark.horizontal else axes.yaxis
    decimals = _decimals(axis, mark[3:6])
    value, low, high = (number(float(one), decimals, language) if np.isfinite(one) else "" for one in mark[3:6])
    reach = text("picture_interval", language, low=low, high=high) if low and high else ""
    return f"{value} ({reach})" if value and reach else value or reach


def _decimals(axis: Any, values: Iterable[float]) -> int:
    """As many as show a hundredth of the axis, or fewer where the values have no more."""
    most = max(0, 2 - int(np.floor(np.log10(np.ptp(axis.get_view_interval())))))
    known = np.array([value for value in values if np.isfinite(value)])
    return next((few for few in range(most) if np.allclose(known, known.round(few), rtol=0, atol=1e-9)), most)


def _place(axes: Any, at: float, language: Language) -> str:
    """A place along the axis by its category, month or number; nothing where the axis has no ticks."""
    from matplotlib.dates import num2date

    axis = axes.yaxis if _sideways(axes) else axes.xaxis
    names, formatter = _tick_names(axis), axis.get_major_formatter()
    if not names:
        return ""
    if "Date" in type(axis.get_converter()).__name__:
        return as_name(f"{num2date(at):%m/%Y}")
    nearest = min(names, key=lambda tick: abs(tick - at))
    if _of_words(axis) or np.isclose(nearest, at):
        words = " ".join(names[nearest].split())
    elif type(formatter).__name__ == "FuncFormatter" and not _fixed(axis):
        words = formatter(at)
    else:
        words = number(float(at), _decimals(axis, [at]), language)
    return words if _has_letters(words) or words != unmarked(words) else as_name(words)


def _words_within(axes: Any, series: Iterable[str], language: Language) -> Iterator[str]:
    """Cells of a heat map by row; words that are no name of a series, with the place that they mark."""
    if axes.images:
        columns, rows = _tick_names(axes.xaxis), _tick_names(axes.yaxis)
        cells = sorted((one.get_position()[::-1], one.get_text()) for one in axes.texts)
        for row, some in groupby(cells, lambda cell: cell[0][0]):
            told = [
                words if _has_letters(words) else
                f"{columns[at]} {text('picture_hidden', language) if words == '·' else words}"
                for (_, at), words in some
            ]  # fmt: skip
            yield f"{rows[row]}: {'; '.join(told)}"
        return
    known = " ".join(unmarked(name) for name in series)
    for one in axes.texts:
        words = " ".join(one.get_text().split())
        if _has_letters(words) and unmarked(words) not in known:
            at = float(axes.xaxis.convert_units(getattr(one, "xy", one.get_position())[0]))
            low, high = sorted(axes.get_xlim())
            marks = low <= at <= high and not _of_words(axes.xaxis) and not _sideways(axes)
            place = str(one.get_label()).removeprefix("_") or (_place(axes, at, language) if marks else "")
            yield words if unmarked(place) in unmarked(words) else f"{words} ({place})"

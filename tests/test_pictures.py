"""Figures as data and as words: each kind of artist, told and not told."""

import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter

import evalkit as ek
from evalkit.language import number
from evalkit.pictures import LONGEST, described, drawn_numbers, release_labels
from evalkit.tracing import resolve, tracing


def drawing(*steps):
    """A figure on which each step drew, and its axes."""
    figure, axes = plt.subplots()
    for step in steps:
        step(axes)
    return figure


def told(*steps, language="en"):
    with tracing():
        return resolve(described(drawing(*steps), "Caption.", language))[0]


def rows(*names):
    return lambda axes: (axes.set_yticks(range(len(names)), names), axes.set_ylim(len(names) - 0.4, -0.6))


def columns(*names):
    return lambda axes: axes.set_xticks(range(len(names)), names)


MONTHS = pd.to_datetime(["2019-01-31", "2019-02-28", "2019-03-31"])
TABLE = {
    "line": ([lambda a: a.plot([1, 2, 3], [0, 50.25, 101], label="A"), lambda a: a.set_xticks([1, 2, 3])],
             "A: 1: 0; 2: 50; 3: 101."),
    "line by words": ([lambda a: a.plot([0, 1], [0.25, 0.5], label="A"), columns("before", "after")],
                      "A: before 0.25; after 0.5."),
    "a scale from 0 to 1 keeps its digits": (
        [lambda a: a.plot([0, 1], [0.2634, 0.2711], label="A"), columns("x", "y"), lambda a: a.set_ylim(0.2, 0.5)],
        "A: x 0.263; y 0.271."),
    "points one by one": ([
        lambda a: [a.plot(value, at, "o", label=name) for name, value, at in
                   [("before", 1, 0), ("after", 2, 0.1), ("_before", 3, 1), ("_after", 4, 1.1)]], rows("P", "Q")],
        "P: before 1; after 2. Q: before 3; after 4."),
    "intervals about points": ([
        lambda a: a.hlines([0, 1], [1, 2], [3, 5], label="_A"), lambda a: a.plot([2, 4], [0, 1], "D", label="A"),
        rows("P", "Q")], "A: P 2 (1 to 3); Q 4 (2 to 5)."),
    "intervals standing": ([
        lambda a: a.vlines([0, 1], [1, 2], [3, 5], label="_A"), lambda a: a.plot([0, 1], [2, 4], "D", label="A"),
        columns("P", "Q")], "A: P 2 (1 to 3); Q 4 (2 to 5)."),
    "an interval drawn as a line": ([
        lambda a: a.plot([1, 3], [0, 0], label="_A"), lambda a: a.plot(2, 0, "o", label="A"), rows("P")],
        "A: P 2 (1 to 3)."),
    "error bars": ([lambda a: a.errorbar([2, 4], [0, 1], xerr=[[1, 2], [1, 1]], fmt="o", capsize=3, label="A"),
                    rows("P", "Q")], "A: P 2 (1 to 3); Q 4 (2 to 5)."),
    "bars": ([lambda a: a.bar([0, 1], [10, 20], label="A"), columns("P", "Q")], "A: P 10; Q 20."),
    "lying bars, one unknown": ([lambda a: a.barh([0, 1], [10, np.nan], label="A"), rows("P", "Q")], "A: P 10."),
    "stacked bars": ([
        lambda a: [a.barh(at, width, left=left, label=f"_Item\t{part}") for at, width, left, part in
                   [(0, 10, 0, "No"), (0, 90, 10, "Yes"), (1, 100, 0, "Yes")]], rows("before", "after")],
        "Parts of each bar in order (– : none or not shown): No; Yes. Item: before 10; 90, after –; 100."),
    "markers": ([lambda a: a.scatter([0, 1], [3, 4], label="A"), columns("P", "Q")], "A: P 3; Q 4."),
    "an area": ([lambda a: a.fill_between([0, 1, 2], [1, 2, 3], [4, 5, 6], label="A"), columns("P", "Q", "R")],
                "A: P 1 to 4; Q 2 to 5; R 3 to 6."),
    "lines through the picture": ([
        lambda a: a.axhline(25, label="guess"), lambda a: a.axvline(3, label="falls"), lambda a: a.set_xlim(0, 50)],
        "guess: 25. falls: 3."),
    "a marker upon an interval across": ([
        lambda a: a.plot([0, 9], [0, 9], label="A"), lambda a: a.hlines(1, 2, 6, label="_shock"),
        lambda a: a.plot(3, 1, "D", label="shock")], "A: 0: 0; 9: 9. shock: 3 (2 to 6)."),
    "months": ([lambda a: a.plot(MONTHS, [1, 2, 4], label="A")], "A: 01/2019: 1; 02/2019: 2; 03/2019: 4."),
    "equal values": ([lambda a: a.plot([1, 1, 2], [0, 0.1, -0.1], "o", label="_"), rows("P")], "P 1 (2 times); 2."),
    "nothing without a label": ([lambda a: a.plot([1, 2], [3, 4]), lambda a: a.bar([1], [2]),
                                 lambda a: a.hlines(1, 2, 3), lambda a: a.errorbar([1], [1], yerr=1)], "Caption."),
    "nothing outside the picture": ([lambda a: a.plot([0, 1, 2], [1, 2, 3], label="A"), columns("P", "Q", "R"),
                                     lambda a: a.set_xlim(-0.5, 1.5)], "A: P 1; Q 2."),
    "nothing that is no number": ([lambda a: a.plot([0, 1], [1, np.nan], "o", label="A"), columns("P", "Q")],
                                  "A: P 1."),
    "a heat map": ([lambda a: a.imshow([[1, 0], [2, 3]]), columns("P", "Q"), rows("R", "S"),
                    lambda a: [a.text(x, y, words) for x, y, words in
                               [(0, 0, "1"), (1, 1, "·"), (0, 1, "2")]]],
                   "R: P 1. S: P 2; Q not shown, too few people."),
    "a row of words": ([lambda a: a.imshow([[0, 0]]), columns("P", "Q"), rows("R"), lambda a: a.text(0.5, 0, "none")],
                       "R: none."),
    "a mark": ([lambda a: a.plot([0, 4], [1, 2], label="A"), lambda a: a.text(2, 1, " launch "),
                lambda a: a.text(1, 1, "12.5"), lambda a: a.set_xticks([0, 2, 4])], "A: 0: 1; 4: 2. launch (2)."),
    "a mark with its own place": ([lambda a: a.plot(MONTHS, [1, 2, 4], label="A"),
                                   lambda a: a.text(MONTHS[1], 1, "launch", label="1 March 2019")],
                                  "A: 01/2019: 1; 02/2019: 2; 03/2019: 4. launch (1 March 2019)."),
    "titles": ([lambda a: a.set_title("Panel", loc="left"), lambda a: a.set_xlabel("days"),
                lambda a: a.set_ylabel("%\nopen"), lambda a: a.figure.supylabel("all")],
               "Caption. Vertical axis: all. Panel. Horizontal axis: days. Vertical axis: % open."),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "expected"), TABLE.values(), ids=TABLE)
def test_what_is_drawn_is_told(steps, expected):
    assert told(*steps).removeprefix("Caption. ") == expected.removeprefix("Caption. ")


def test_numbers_are_told_as_the_language_writes_them():
    found = told(lambda a: a.plot([0, 1], [1234.56, -2.5], label="A"), columns("P", "Q"),
                 lambda a: a.set_ylim(-5, 1300), language="vi")  # fmt: skip
    assert found == "Caption. A: P 1.235; Q −2."


@pytest.mark.parametrize(
    ("points", "series", "legend"), [(1, 1, True), (3, 30, False), (25, 2, True), (60, 12, False)]
)
def test_long_series_are_told_by_their_ends_and_extremes(points, series, legend):
    values = np.random.default_rng(5).uniform(0, 1000, (series, points)).round()
    figure, axes = plt.subplots()
    for at, row in enumerate(values):
        axes.plot(range(points), row, "o-", label=f"{'' if legend else '_'}series {at}")
    with tracing(False):
        words = described(figure, "Caption", "en")
    plt.close(figure)
    assert len(words) <= LONGEST or legend  # what is in the legend is never left out
    assert f"{values.max():,.0f}" in words and f"{values.min():,.0f}" in words


def test_a_curve_is_told_at_its_ticks_and_a_level_once():
    falling = told(lambda a: a.plot(range(31), range(60, 29, -1), label="A"), lambda a: a.set_xticks([0, 10, 20, 30]),
                   lambda a: a.axhline(0), lambda a: a.plot(range(31), [5] * 31, label="level"))  # fmt: skip
    assert falling == "Caption. A: 0: 60; 10: 50; 20: 40; 30: 30. level: 5."


def change_of(step):
    """What a step leaves of a figure with one artist of each kind."""
    figure, axes = plt.subplots()
    parts = {
        "line": axes.plot([0, 1, 2], [3.0, 4.0, 5.0])[0],
        "bars": axes.bar([0, 1], [10.0, 20.0]),
        "error": axes.errorbar([0], [1], yerr=[0.5]),
        "points": axes.scatter([0.1, 0.2], [0.3, 0.4]),
        "area": axes.fill_between([0, 1], [1, 1], [2, 3]),
        "image": axes.imshow([[0.1, 0.2]]),
    }
    step(axes, parts)
    return drawn_numbers(figure)


@pytest.mark.parametrize("step", [
    lambda axes, parts: parts["bars"][1].set_height(20.2),
    lambda axes, parts: parts["line"].set_ydata([3, 4, 5.001]),
    lambda axes, parts: parts["points"].set_offsets([[0.1, 0.3], [0.2, 0.401]]),
    lambda axes, parts: parts["error"].lines[2][0].set_segments([[[0, 0.5], [0, 1.6]]]),
    lambda axes, parts: parts["area"].set_verts([[[0, 1], [1, 1], [1, 3.01], [0, 2]]]),
    lambda axes, parts: parts["image"].set_data([[0.1, 0.201]]),
    lambda axes, parts: parts["line"].remove(),
])  # fmt: skip
def test_other_data_are_noticed(step):
    before, after = change_of(lambda axes, parts: None), change_of(step)
    assert len(before) != len(after) or not np.allclose(before, after, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("step", [
    lambda axes, parts: axes.figure.set_size_inches(3, 9),
    lambda axes, parts: axes.set_xlabel("words"),
    lambda axes, parts: parts["line"].set(linewidth=5, color="red", label="other"),
    lambda axes, parts: parts["points"].set_sizes([99]),
    lambda axes, parts: parts["line"].set_ydata([3, 4, 5 + 1e-14]),
    lambda axes, parts: parts["line"].set_xdata([1e-17, 1, 2]),
    lambda axes, parts: parts["line"].set_xdata([-0.0, 1, 2]),
])  # fmt: skip
def test_looks_and_noise_are_not_data(step):
    assert change_of(step) == change_of(lambda axes, parts: None)


def traced_figure():
    figure, (top, low) = plt.subplots(2, 1, sharex=True)
    top.plot([0, 1], [1, 2], label=f"A {number(7, 0, 'en')}")
    top.set_xticks([0, 1], [f"unit {number(8, 0, 'en')}", number(30, 0, "en")])
    top.set_title(f"Title {number(1.5, 1, 'en')}")
    top.bar_label(low.bar([0, 1], [5, 6]), [number(5, 0, "en"), ""])
    low.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 0, "en")))
    figure.legend()
    return figure


def test_labels_are_released_of_their_traces():
    with tracing(), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = traced_figure()
        found = release_labels(figure)
        with tracing(False):
            figure.draw_without_rendering()
    words = {words: [span.origin.value for span in spans] for words, spans in found}
    assert words == {"unit 8": [8], "A 7": [7], "Title 1.5": [1.5], "5": [5]}  # the ticks are numbering
    assert [len(found), len(words)] == [4, 4]
    shown = "".join(label.get_text() for label in figure.findobj(mpl.text.Text))
    assert "unit 8" in shown and "30" in shown and not any(ord(letter) > 0xF0000 for letter in shown)


def test_the_words_of_a_traced_figure_resolve():
    with tracing():
        words, spans = resolve(described(traced_figure(), f"Of {number(3, 0, 'en')}", "en"))
    assert words == "Of 3. Title 1.5. A 7: unit 8: 1; 30: 2."
    assert [span.origin.value for span in spans if span.origin.kind == "number"] == [3, 1.5, 7, 8, 1, 30, 2]


def test_hidden_answers_are_not_told(nga_bay, survey):
    """Answers given by fewer than 5 people before or after (11 of q3_3 and q7 are hidden in the table of answers)."""
    item, design = nga_bay.codebook["q7"], nga_bay.design
    pilots = survey.responses["unit"].map(design.arms) == "pilot"
    shares = ek.indicators.answer_shares(survey.responses[pilots], survey.missing, item, design.periods)
    axes = ek.figures.answers({"q7": shares}, nga_bay, "en")
    words = described(axes.figure, "Caption", "en")
    bars = words.partition("before ")[2].split(", after ")
    names = words.partition("not shown): ")[2].partition(".")[0].split("; ")
    assert len(bars) == 2 and len(names) == 7
    for period, bar in zip(("before", "after"), bars, strict=True):
        few = shares[(shares["period"] == period) & (shares["kind"] == "answer") & shares["n"].between(1, 4)]
        values = dict(zip(names, bar.rstrip(".").split("; "), strict=True))
        labels = {answer.code: answer.labels["en"] for answer in item.scale.valid}
        assert all(values[labels[code]] == "–" for code in few["code"])

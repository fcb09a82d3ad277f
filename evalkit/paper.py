"""Where a notebook shows things: on its page, and, traced, in the folder of the report that it runs for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from evalkit.language import Language, plain, text
from evalkit.numerals import declared_numerals, stray_numerals
from evalkit.pictures import described, drawn_numbers, release_labels
from evalkit.spreadsheets import safe_csv
from evalkit.study import Study
from evalkit.tables import markdown
from evalkit.tracing import Span, resolve, spanned, start_tracing, told_origins, tracing, unmarked

SHOWN = "evalkit"  # the key of output metadata under which a notebook says what it shows


@dataclass
class Paper:
    """What a notebook shows, as text, tables and figures.

    `output` is the report's folder, or empty to show only. Captions are catalogue texts, filled with `values`. In a
    report every numeral is traced to its raw value, or stands in a text of the study or of evalkit; one that is
    neither is handed on as a stray, and the report is not written.
    """

    study: Study
    output: str = ""
    language: Language | str = ""
    _declared: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.language = self.language or self.study.language
        self._declared.append(self.study)
        if self.output:
            start_tracing()

    def declare(self, *sources: Any) -> None:
        """Name what else was declared or collected in words, so that the numerals of its texts are known."""
        self._declared += sources

    def text(self, *paragraphs: str) -> None:
        """Show Markdown paragraphs."""
        self._show("\n\n".join(paragraphs) + "\n", {"kind": "text"})

    def table(self, name: str, frame: pd.DataFrame, *, real: bool = False, **values: Any) -> None:
        """Show a table under its caption `table_<name>`; saved as tables/<name>.csv for Excel.

        real: the data are not those of the study, and no simulation even where the study is one.
        """
        caption, file = self._caption(f"table_{name}", values, real), self._file(name, values)
        self._save(f"tables/{file}.csv", safe_csv(_unmarked(frame), encoding="utf-8-sig"))
        self._show(f"**{plain(caption)}**\n\n{markdown(frame)}", {"kind": "table", "name": file})

    def figure(self, name: str, axes: Any, *, real: bool = False, **values: Any) -> None:
        """Show a figure under its caption `figure_<name>`; saved as PNG (300 dpi) and SVG; `real` as in `table`."""
        from IPython.display import display
        from matplotlib import pyplot as plt

        caption = title = self._caption(f"figure_{name}", values, real)
        file = self._file(name, values)
        figure = axes.figure
        shown: dict[str, Any] = {"kind": "figure", "name": file}
        if self.output:
            told = described(figure, caption, self.language)  # type: ignore[arg-type]
            words, spans = resolve(f"{plain(caption)}\n{told}", escaped=plain)
            labels = release_labels(figure)
            shown |= self._origins([(words, spans), *labels])
            caption, _, shown["alt"] = spanned(words, spans).partition("\n")
            shown["alt"] = words.partition("\n")[2]
            shown["drawn"] = drawn_numbers(figure)
            for kind in ("png", "svg"):
                data = _rendered(figure, kind, 300)
                self._save(f"figures/{file}.{kind}", data)
                shown[f"{kind}_sha256"] = sha256(data).hexdigest()
        else:
            figure.draw_without_rendering()  # the layout settles with the second draw, here as in a report
        page = {"image/png": _rendered(figure, "png", 100), "text/plain": unmarked(title)}
        plt.close(figure)
        display(page, metadata={SHOWN: shown | {"caption": caption}}, raw=True)

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

        if self.output:
            words, spans = resolve(source, escaped=plain)
            shown |= self._origins([(words, spans)])
            source = spanned(words, spans)
        display({"text/markdown": source}, metadata={SHOWN: shown}, raw=True)

    def _origins(self, found: Iterable[tuple[str, list[Span]]]) -> dict[str, Any]:
        """What the traced strings of some words were made of, in their order, and the numerals nobody answers for."""
        found, declared = list(found), self._numerals()
        spans = [span for _, some in found for span in some]
        return {
            "origins": told_origins(spans),
            "strays": [stray for words, some in found for stray in stray_numerals(words, some, declared)],
        }

    def _numerals(self) -> dict[str, set[str]]:
        if len(self._declared) > 1 or not isinstance(self._declared[0], dict):
            self._declared = [declared_numerals(*self._declared)]
        return self._declared[0]


def _unmarked(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(columns=unmarked).map(lambda cell: unmarked(cell) if isinstance(cell, str) else cell)


def _rendered(figure: Any, kind: str, dpi: int) -> bytes:
    stream = BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with tracing(False):  # ticks are numbered while they are drawn
        figure.savefig(stream, format=kind, dpi=dpi, metadata=metadata)
    return stream.getvalue()

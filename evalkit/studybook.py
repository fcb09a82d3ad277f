"""study.xlsx, read: one workbook that says what study.toml, index.toml and the three tables say."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils import column_index_from_string, get_column_letter

from evalkit.bookcells import EXCEL_ERRORS, cell_name, day, digits, figure, is_filled, padded, shown
from evalkit.bookplaces import Place, Studybook
from evalkit.booksheets import FIRST_ROW, FORM_ROWS, REFERENCE, Sheet, sheets
from evalkit.contents import placeholders
from evalkit.encodings import fold, normal_form
from evalkit.errors import DataError, Problem, nearest, raise_any
from evalkit.grid import file_bytes
from evalkit.language import LANGUAGES

Cells = Mapping[str, Mapping[tuple[int, int], Any]]  # sheet → (row, column) → value


def read_studybook(path: Path, name: str = "study.xlsx") -> Studybook:
    """The contents of a workbook as the text files would give them, with the place of everything.

    `name` is how errors call the file. Raises DataError with every missing sheet, unknown, repeated and missing
    column, formula without a value, and cell that cannot be what its column says.

        book = read_studybook(Path("data/my-pilot/study.xlsx"))
        declared = parse(book.study, "study.toml", Declaration)
    """
    data = file_bytes(path, name)
    try:
        computed, written = (load_workbook(io.BytesIO(data), data_only=values) for values in (True, False))
    except Exception:  # openpyxl raises anything on damaged files
        raise DataError([Problem(name, "file_not_xlsx")]) from None
    cells: dict[str, dict[tuple[int, int], Any]] = {}
    problems = []
    for sheet in written.worksheets:
        cells[sheet.title] = {}
        if fold(sheet.title) not in {known.name for known in sheets()}:
            continue
        for row in sheet.iter_rows():
            for cell in row:
                value = computed[sheet.title][cell.coordinate].value
                if cell.data_type == "f" and value is None:
                    key = "studybook_formula"
                    problems.append(Problem(name, key, sheet=sheet.title, cell=cell.coordinate))
                elif value is not None:
                    cells[sheet.title][cell.row, cell.column] = padded(value, cell.number_format)
    return read_cells(cells, name, problems)


def read_cells(cells: Cells, name: str = "study.xlsx", problems: Iterable[Problem] = ()) -> Studybook:
    """The same from cells: sheet → (row, column) → value; `problems` found before are raised too."""
    reading = _Reading(name, cells, list(problems))
    study = reading.pairs("khao_sat") | reading.units() | reading.waves()
    study |= reading.pairs("thiet_ke") | reading.pairs("ke_hoach") | reading.rows("chi_phi", "costs")
    study |= reading.report()
    index = reading.rows("chi_so", "node")
    variables, answers, corrections = map(reading.table, ("bang_ma", "thang_do", "sua_so_lieu"))
    raise_any(reading.problems)
    notices = (*reading.notices, *placeholders(study))
    found = (name, reading.places, reading.columns)
    return Studybook(study, index, variables, answers, corrections, (), notices, *found)


class _Reading:
    """A workbook while it is read: the contents come back from the methods, places and problems gather here."""

    def __init__(self, name: str, cells: Cells, problems: list[Problem]) -> None:
        self.name = name
        self.problems = problems
        self.places: dict[tuple[str, str], Place] = {}
        self.columns: dict[str, dict[str, str]] = {}
        self.numbers: dict[tuple[str, str], list[str]] = {}
        self.sheets = {sheet.name: sheet for sheet in sheets()}
        titles = {fold(title): title for title in cells}
        self.cells = {name: cells[titles[name]] if name in titles else {} for name in self.sheets}
        self.missing = {name for name in self.sheets if name not in titles}
        for missing in sorted(name for name in self.missing if not self.sheets[name].optional):
            found = nearest(missing, titles.values())
            self.problems.append(Problem(name, "studybook_sheet", {"found": found}, sheet=missing))

    @property
    def notices(self) -> tuple[Problem, ...]:
        """Columns of text in which numbers stand: leading zeros may be lost."""
        return tuple(
            Problem(self.name, "studybook_number", {"count": len(found)}, column=header, sheet=sheet, cell=found[0])
            for (sheet, header), found in self.numbers.items()
        )

    def problem(self, key: str, sheet: str, cell: str | None, header: str | None = None, **values: Any) -> None:
        self.problems.append(Problem(self.name, key, values, column=header, sheet=sheet, cell=cell))

    def pairs(self, name: str) -> dict[str, Any]:
        """The tables of a sheet with labels in its first column and values beside them, English in the third."""
        sheet, cells = self.sheets[name], self.cells[name]
        lines: dict[str, int] = {}
        for row, column in sorted(cells):
            label = normal_form(str(cells.get((row, 1)) or ""))
            if row == 1 or (row == 2 and label.startswith("#")):
                continue
            if not label and column < sheet.note_column and is_filled(cells[row, column]):
                self.problem("studybook_outside", name, cell_name(row, column))
            if not label or column > 1:
                continue
            meant = sheet.meant(label)
            if meant is None:
                known = [sheet.words(field, "vi")[0] for field in sheet.fields]
                self.problem("studybook_label", name, f"A{row}", found=label, expected=nearest(label, known))
            elif lines.setdefault(sheet.stem(meant), row) != row:
                self.problem("studybook_label_twice", name, f"A{row}", found=label)
        content: dict[str, Any] = {}
        for field in sheet.fields:
            if line := lines.get(sheet.stem(field)):
                spot = (line, 3 if field.key.endswith(".en") else 2)
                place = Place(name, cell_name(*spot), sheet.words(field, "vi")[0], field)
                self._keep(sheet.file, "", field.key, place)
                _put(content, field.key, self._value(place, cells.get(spot)))
        self.places |= {(sheet.file, field.key.partition(".")[0]): Place(name) for field in sheet.fields}
        return content

    def rows(self, name: str, top: str) -> dict[str, Any]:
        """The list of tables of a sheet with one of them a row; none where the sheet is empty."""
        entries: list[dict[str, Any]] = []
        file = self.sheets[name].file
        for line, _ in self._lines(name):
            place = f"{top}[{len(entries) + 1}]"
            entries.append(self._entry(name, line, place))
            node = f"node {entries[-1].get('code')}"
            self.places[file, node] = self.places[file, place]
            for key in ("items", "children"):
                for part in entries[-1].get(key, []):
                    self.places[file, f"{node}.{part}"] = self._place(name, key, line)
        self.places[file, top] = Place(name)
        return {top: entries} if entries else {}

    def units(self) -> dict[str, Any]:
        """The units: rows with one code are the names of one unit, in the order of their numbers."""
        units: dict[Any, dict[str, Any]] = {}
        seen: dict[tuple[Any, Any], int] = {}
        for line, values in self._lines("don_vi"):
            code = values.get("code") or f" {line}"  # a row without code is a unit of its own: its key is missing
            number = values.get("name_number") or 1
            if seen.setdefault((code, number), line) != line:
                self.problem("studybook_name_twice", "don_vi", self._at("don_vi", "code", line), found=code)
            unit = units.setdefault(code, {"line": line, "names": [], "values": values})
            unit["names"].append((number, line))
            for key in ("arm", "population", "clusters"):
                if key in values and values[key] != unit["values"].get(key) and line != unit["line"]:
                    self.problem("studybook_unit_differs", "don_vi", self._at("don_vi", key, line), found=code)
        content = []
        for position, (code, unit) in enumerate(units.items(), start=1):
            place = f"units[{position}]"
            entry = self._entry("don_vi", unit["line"], place)
            entry.pop("name_number", None)
            entry.pop("names", None)
            lines = [line for _, line in sorted(unit["names"], key=lambda name: _sortable(name[0]))]
            names = [
                self._entry("don_vi", line, f"{place}.names[{at}]", below="names.")
                for at, line in enumerate(lines, start=1)
            ]
            content.append(entry | ({"names": names} if any(names) else {}))
            self.places["study.toml", f"units.{code}"] = self.places["study.toml", place]
        self.places["study.toml", "units"] = Place("don_vi")
        return {"units": content} if content else {}

    def waves(self) -> dict[str, Any]:
        """The waves with their forms by unit and the items whose wording has a version of its own."""
        waves: list[dict[str, Any]] = []
        positions: dict[Any, int] = {}
        for line, _ in self._lines("dot"):
            place = f"waves[{len(waves) + 1}]"
            wave = self._entry("dot", line, place)
            if "column" in wave.get("where", {}):
                wave["where"].setdefault("equals", "")
            waves.append(wave)
            positions.setdefault(wave.get("code"), len(waves))
            self.places["study.toml", f"waves.{wave.get('code')}"] = self.places["study.toml", place]
        self.places["study.toml", "waves"] = Place("dot")
        for name, inner, keys in (
            ("so_phieu", "unit", ("issued", "returned")),
            ("loi_hoi", "variable", ("wording",)),
        ):
            for line, values in self._lines(name):
                code, of = values.get("wave"), values.get(inner)
                if code is None or of is None:
                    blank = "wave" if code is None else inner
                    self.problem("studybook_cell_empty", name, self._at(name, blank, line))
                    continue
                if code not in positions:
                    cell, expected = self._at(name, "wave", line), nearest(code, map(str, positions))
                    self.problem("studybook_wave", name, cell, found=code, expected=expected)
                    continue
                for key in keys:
                    if key not in values:
                        continue
                    table = waves[positions[code] - 1].setdefault(key, {})
                    if of in table:
                        self.problem("studybook_row_twice", name, self._at(name, inner, line), found=f"{code}, {of}")
                    table[of] = values[key]
                    place = f"waves[{positions[code]}].{key}"
                    self.places["study.toml", f"{place}.{of}"] = self._place(name, key, line)
                    self.places.setdefault(("study.toml", place), Place(name))
        return {"waves": waves} if waves else {}

    def report(self) -> dict[str, Any]:
        """The form of the report, with its lists; nothing where all of its sheets are empty."""
        form = self.pairs("bao_cao").get("report", {})
        for key, name in FORM_ROWS.items():
            for entries in self.rows(name, f"report.{key}").values():
                form[key] = [one[REFERENCE] for one in entries] if key == "references" else entries
        return {"report": form} if form else {}

    def table(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table, every cell as text."""
        blank = {field.key: "" for field in self.sheets[name].fields}
        return [blank | values | {"line": line} for line, values in self._lines(name)]

    def _entry(self, name: str, line: int, place: str, *, below: str = "") -> dict[str, Any]:
        """One row as the table of a text file, and the places of all its keys."""
        content: dict[str, Any] = {}
        file = self.sheets[name].file
        for field in self.sheets[name].fields:
            if field.key not in self.columns[name] or not field.key.startswith(below):
                continue
            at = self._place(name, field.key, line)
            self._keep(file, f"{place}.", field.key.removeprefix(below), at)
            value = self._value(at, self.cells[name].get((line, self._column(name, field.key))), repeated=True)
            _put(content, field.key.removeprefix(below), value)
        self.places[file, place] = Place(name, f"A{line}")
        return content

    def _lines(self, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """The rows of a sheet that hold anything: their number and the values by key."""
        if name in self.missing:
            self.columns[name] = {}
            return
        sheet, cells = self.sheets[name], self.cells[name]
        self.columns[name] = columns = self._header(sheet)
        at = {self._column(name, key): key for key in columns}
        headed = {column for row, column in cells if row == 1}
        filled = sorted(spot for spot, value in cells.items() if is_filled(value))
        explained = str(cells.get((2, 1), "")).lstrip().startswith("#")
        rows: dict[int, dict[str, Any]] = {}
        for row, column in filled:
            if row < (FIRST_ROW if explained else 2):
                continue
            if column not in headed:
                self.problem("studybook_outside", name, cell_name(row, column))
            elif column in at:
                value = self._value(self._place(name, at[column], row), cells[row, column])
                if value is not None:
                    rows.setdefault(row, {})[at[column]] = value
        yield from rows.items()

    def _header(self, sheet: Sheet) -> dict[str, str]:
        """Key → column letter; what is unknown, repeated or missing is a problem."""
        columns: dict[str, str] = {}
        cells = self.cells[sheet.name]
        for column in sorted(column for row, column in cells if row == 1):
            header = normal_form(str(cells[1, column]))
            meant = sheet.meant(header)
            if meant is None and header:
                names = {lang: ", ".join(sheet.words(field, lang)[0] for field in sheet.fields) for lang in LANGUAGES}
                self.problem("column_unknown", sheet.name, cell_name(1, column), found=header, expected=names)
            elif meant is not None and meant.key in columns:
                self.problem("column_twice", sheet.name, cell_name(1, column), found=header)
            elif meant is not None:
                columns[meant.key] = get_column_letter(column)
        for field in sheet.fields:
            if field.key not in columns:
                self.problem("column_missing", sheet.name, None, found=sheet.words(field, "vi")[0])
        return columns

    def _column(self, name: str, key: str) -> int:
        return column_index_from_string(self.columns[name][key])

    def _at(self, name: str, key: str, line: int) -> str:
        return f"{self.columns[name].get(key, 'A')}{line}"

    def _place(self, name: str, key: str, line: int) -> Place:
        field = self.sheets[name].field(key)
        return Place(name, self._at(name, key, line), self.sheets[name].words(field, "vi")[0], field)

    def _keep(self, file: str, prefix: str, key: str, place: Place) -> None:
        """Remember the place of a key, and of the table around it, such as a label of two languages."""
        self.places[file, prefix + key] = place
        parent = key.rpartition(".")[0]
        if parent and (prefix or "." in parent):
            self.places.setdefault((file, prefix + parent), replace(place, field=None))
        if place.field is not None and place.field.kind == "list":
            self.places[file, f"{prefix}{key}[1]"] = place

    def _value(self, place: Place, raw: Any, *, repeated: bool = False) -> Any:
        """A cell as the text file would have it, None where it is empty; `repeated` says nothing a second time."""
        assert place.field is not None and place.cell is not None
        if raw is None or (isinstance(raw, str) and not normal_form(raw)):
            return None
        kind = place.field.kind
        if isinstance(raw, str) and raw.startswith("#") and raw in EXCEL_ERRORS:
            if not repeated:
                self.problem("studybook_error_value", place.sheet, place.cell, place.header, found=raw)
            return None
        if kind in ("text", "list", "figure"):
            if place.field.key in ("minimum", "maximum") and isinstance(raw, datetime):
                return shown(raw)
            if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
                if not repeated:
                    self.problem("studybook_not_text", place.sheet, place.cell, place.header, found=shown(raw))
                return None
            if kind != "figure" and not isinstance(raw, str) and not repeated:
                self.numbers.setdefault((place.sheet, place.header or ""), []).append(place.cell)
            words = digits(raw)
            if kind == "list":
                return [normal_form(part) for part in re.split(r"[,;\n]", words) if normal_form(part)] or None
            if place.field.key.endswith((".vi", ".en")):
                return "\n".join(map(normal_form, words.splitlines())).strip()
            return normal_form(words)
        if kind in ("choice", "yes"):
            chosen = place.field.chosen(raw)
            return chosen if kind == "yes" else digits(chosen) if isinstance(chosen, (int, float)) else shown(chosen)
        return day(raw) if kind == "date" else figure(raw, whole=kind == "whole")


def _sortable(number: Any) -> tuple[int, float]:
    return (0, number) if isinstance(number, (int, float)) else (1, 0)


def _put(content: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in nested tables, unless the value is None."""
    if value is None:
        return
    *outer, last = key.split(".")
    for part in outer:
        content = content.setdefault(part, {})
    content[last] = value

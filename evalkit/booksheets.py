"""The sheets of study.xlsx: which there are, what each column asks for, in which words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from evalkit import codebook, declaration
from evalkit.contents import CORRECTION_ACTIONS, CORRECTION_COLUMNS
from evalkit.encodings import fold, normal_form
from evalkit.language import LANGUAGES, Language, catalogue, text

FIRST_ROW = 3  # below the header and its explanations
TABLES = ("codebook.csv", "scales.csv", "corrections.csv")
# The lists of `[report]`, and the sheets that hold them, one entry a row.
FORM_ROWS = {
    "funds": "kinh_phi",
    "progress": "tien_do",
    "partners": "phoi_hop",
    "products": "san_pham",
    "evaluation": "danh_gia",
    "abbreviations": "viet_tat",
    "references": "tai_lieu",
    "recipients": "noi_nhan",
}
REFERENCE = "reference"
_FIGURES = ("minimum", "maximum", "code", "reverse")
_SIGNS = {",": "comma", ".": "point"}


@dataclass(frozen=True)
class Field:
    """A key of a text file as the workbook asks for it: what its cell may hold, and the words it may choose from."""

    key: str
    kind: Literal["text", "list", "date", "whole", "number", "yes", "choice", "figure"] = "text"
    choices: tuple[str, ...] = ()

    @property
    def words(self) -> dict[str, dict[str, str]]:
        """Value of the text file → the words for it in both languages."""
        ascii_names = {value: re.sub(r"\W", "_", _SIGNS.get(value, value)) for value in self.choices}
        names = {value: f"studybook_choice_{name}" for value, name in ascii_names.items()}
        if self.kind == "yes":
            names = {"true": "studybook_yes", "false": "studybook_no"}
        return {value: catalogue().get(name, dict.fromkeys(LANGUAGES, value)) for value, name in names.items()}

    def chosen(self, word: Any) -> Any:
        """The value that a word stands for; an unknown word as it is, for `declaration.parse` to refuse."""
        if not isinstance(word, str):
            return word
        value = _values(self).get(fold(word), normal_form(word))
        return {"true": True, "false": False}.get(value, value) if self.kind == "yes" else value


@dataclass(frozen=True)
class Sheet:
    """A sheet: the file it stands for and its fields, one a column, or one a row beside its labels (`pairs`).

    optional: whether a workbook may be without it.
    """

    name: str
    file: str
    fields: tuple[Field, ...]
    pairs: bool = False
    optional: bool = False

    @property
    def note_column(self) -> int:
        """Where the explanations of `pairs` stand, right of the values."""
        return 4 if any(field.key.endswith(".en") for field in self.fields) else 3

    def stem(self, field: Field) -> str:
        """The key of a field; in `pairs`, where both languages share a row, without the language."""
        return re.sub(r"\.(vi|en)$", "", field.key) if self.pairs else field.key

    def words(self, field: Field, language: Language) -> tuple[str, str]:
        """The header of a field and its explanation."""
        place = self.stem(field).replace(".", "_")
        header, _, note = text(f"studybook_field_{self.name}_{place}", language).partition(": ")
        return header, note

    def field(self, key: str) -> Field:
        """A field by its key."""
        return next(field for field in self.fields if field.key == key)

    def meant(self, header: str) -> Field | None:
        """The field that a header stands for: its words in both languages or its key."""
        return next((field for field in self.fields if fold(header) in _spellings(self, field)), None)


@cache
def sheets() -> tuple[Sheet, ...]:
    """All sheets, in the order in which a study is declared; the fields come from the models and tables."""
    study, index = "study.toml", "index.toml"
    wave = [field for field in _fields(declaration.Wave) if field.key not in ("wording", "issued", "returned")]
    unit = [field for field in _fields(declaration.Unit) if field.key != "names"]
    number = Field("name_number", "whole")
    unit[1:1] = [number, *_fields(declaration.UnitName, "names.")]
    about = [*_fields(declaration.About, "study."), *_fields(declaration.Privacy, "privacy.")]
    forms = [Field("wave"), Field("unit"), Field("issued", "whole"), Field("returned", "whole")]
    items = [Field("wave"), Field("variable"), Field("wording")]
    # weights are a table of its own in index.toml
    node = [field for field in _fields(declaration.Node) if field.key != "weights"]
    form = [
        field for field in _fields(declaration.Form, "report.") if field.key.removeprefix("report.") not in FORM_ROWS
    ]
    products = [
        replace(field, kind="figure") if field.key in ("ordered", "delivered") else field
        for field in _fields(declaration.Product)
    ]
    names = (*codebook.COLUMNS, *codebook.RULE_COLUMNS)
    variables = _columns(names, type=codebook.TYPES, otherwise=codebook.OTHERWISE)
    answers = _columns(codebook.SCALE_COLUMNS, missing=codebook.MISSING_KINDS)
    return (
        Sheet("khao_sat", study, tuple(about), pairs=True),
        Sheet("don_vi", study, tuple(unit)),
        Sheet("dot", study, (*wave, Field("wording.all"))),
        Sheet("so_phieu", study, tuple(forms)),
        Sheet("loi_hoi", study, tuple(items)),
        Sheet("thiet_ke", study, tuple(_fields(declaration.Roles, "design.")), pairs=True),
        Sheet("ke_hoach", study, tuple(_fields(declaration.Plan, "plan.")), pairs=True),
        Sheet("chi_phi", study, tuple(_fields(declaration.Cost))),
        Sheet("bang_ma", "codebook.csv", variables),
        Sheet("thang_do", "scales.csv", answers),
        Sheet("chi_so", index, tuple(node)),
        Sheet("sua_so_lieu", "corrections.csv", _columns(CORRECTION_COLUMNS, action=CORRECTION_ACTIONS)),
        Sheet("bao_cao", study, tuple(form), pairs=True, optional=True),
        Sheet("kinh_phi", study, tuple(_fields(declaration.Fund)), optional=True),
        Sheet("tien_do", study, tuple(_fields(declaration.Progress)), optional=True),
        Sheet("phoi_hop", study, tuple(_fields(declaration.Partner)), optional=True),
        Sheet("san_pham", study, tuple(products), optional=True),
        Sheet("danh_gia", study, tuple(_fields(declaration.Labels)), optional=True),
        Sheet("viet_tat", study, tuple(_fields(declaration.Abbreviation)), optional=True),
        Sheet("tai_lieu", study, (Field(REFERENCE),), optional=True),
        Sheet("noi_nhan", study, tuple(_fields(declaration.Labels)), optional=True),
    )


def sheet(name: str) -> Sheet:
    """A sheet by its name."""
    return next(sheet for sheet in sheets() if sheet.name == name)


def _columns(names: tuple[str, ...], **choices: tuple[str, ...]) -> tuple[Field, ...]:
    """The fields of a table of texts; `_FIGURES` are numbers there."""
    kinds: dict[str, Any] = dict.fromkeys(_FIGURES, "figure") | dict.fromkeys(choices, "choice")
    return tuple(Field(name, kinds.get(name, "text"), choices.get(name, ())) for name in names)


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[Field]:
    """The keys of a model as fields, tables inside it as dotted keys."""
    for key, known in model.model_fields.items():
        kinds = {bool: "yes", date: "date", int: "whole", float: "number", tuple: "list"}
        leaf = _leaf(known.annotation)
        if isinstance(leaf, type) and issubclass(leaf, BaseModel):
            yield from _fields(leaf, f"{prefix}{key}.")
        elif get_origin(leaf) is Literal:
            yield Field(prefix + key, "choice", get_args(leaf))
        else:
            kind: Any = kinds.get(get_origin(leaf) or leaf, "text")
            yield Field(prefix + key, kind)


def _leaf(annotation: Any) -> Any:
    """The type of a value that is there: `X` of `Annotated[X, …] | None`."""
    if get_origin(annotation) is Annotated:
        return _leaf(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _leaf(next(inner for inner in get_args(annotation) if inner is not type(None)))
    return annotation


@cache
def _values(field: Field) -> dict[str, str]:
    """Every word for a value, folded: the value itself and its words in both languages."""
    return {fold(word): value for value, words in field.words.items() for word in (value, *words.values())}


@cache
def _spellings(sheet: Sheet, field: Field) -> frozenset[str]:
    return frozenset({fold(sheet.stem(field)), *(fold(sheet.words(field, language)[0]) for language in LANGUAGES)})

"""What a ledger must look like before anything of it is used: it comes from outside."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalkit.language import Language
from evalkit.ledger import MOST_DECIMALS

MOST_COLUMNS = 1_000  # and rows ten times as many: of a table


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Rule(_Part):
    decimals: Annotated[int, Field(ge=0, le=MOST_DECIMALS)] = 0
    sign: bool = False
    plain: bool = False
    below: Annotated[float, Field(gt=0, lt=1)] | None = None


class _Number(_Part):
    id: str
    shown: str
    value: int | float
    rule: _Rule
    notebook: str
    cell: int
    block: str


class _Claim(_Part):
    id: str
    text: str
    direction: str
    indicator: str
    group: str
    estimand: str
    notebook: str
    cell: int
    block: str


class _Block(_Part):
    id: str
    kind: Literal["heading", "text", "caption", "alt"]
    text: str
    numbers: list[str]
    claims: list[str]
    under: str
    table: str | None = None
    figure: str | None = None
    computed: bool = False


class _Cell(_Block):
    kind: Literal["cell"]  # type: ignore[assignment]
    table: str
    row: Annotated[int, Field(ge=0, lt=10 * MOST_COLUMNS)]
    column: Annotated[int, Field(ge=0, lt=MOST_COLUMNS)]


class _Picture(_Part):
    name: str
    drawn: list[float | int | None]
    block: str | None
    svg_sha256: str = ""
    png_sha256: str = ""


class _Ledger(_Part):
    study: str
    language: Language
    simulated: bool
    title: str = ""
    software: dict[str, str]
    inputs: dict[str, str]
    lock: str
    numbers: list[_Number]
    claims: list[_Claim]
    blocks: list[Annotated[_Block | _Cell, Field(discriminator="kind")]]
    pictures: list[_Picture]
    formulas: int = 0
    tables: list[str] = []
    front: list[str] = []
    notes: list[str] = []
    excerpt_of: str = ""
    response_to: str = ""


def is_ledger(content: Any) -> bool:
    """Whether what a ledger's JSON says can be used as one.

    >>> is_ledger({"numbers": []})
    False
    """
    try:
        _Ledger.model_validate(content)
    except (ValidationError, RecursionError):
        return False
    return True

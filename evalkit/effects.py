"""The result contract: one tidy table, one row an estimate, one vocabulary of columns."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

KEY = ("indicator", "group", "estimand", "contrast", "method")
COLUMNS: dict[str, type] = {
    **dict.fromkeys((*KEY, "unit"), str),
    **dict.fromkeys(("estimate", "std_error", "conf_low", "conf_high", "conf_level"), float),
    **dict.fromkeys(("statistic", "df", "p_value"), float),
    **dict.fromkeys(("conf_low_adjusted", "conf_high_adjusted", "p_adjusted"), float),
    "adjustment": str,
    **dict.fromkeys(("n_before", "n_after", "n_clusters"), float),
    "weights": str,
    "note": str,
}


def make_effects(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The effects table of these rows: all columns, in order, typed; absent numbers NaN, absent words empty.

    Zero rows are a value. Raises ValueError for a column that the vocabulary does not have, or a key twice.

    >>> make_effects([]).shape[0], make_effects([{"indicator": "x", "estimate": 1}]).loc[0, "estimate"]
    (0, np.float64(1.0))
    """
    frame = pd.DataFrame(list(rows))
    unknown = set(frame.columns) - set(COLUMNS)
    if unknown:
        raise ValueError(f"not columns of effects: {sorted(unknown)}")
    typed = {
        name: pd.Series(frame.get(name, np.nan if kind is float else ""), index=frame.index)
        for name, kind in COLUMNS.items()
    }
    result = pd.DataFrame(
        {name: column.fillna("").astype("str") if COLUMNS[name] is str else column.astype(float)
         for name, column in typed.items()}
    )  # fmt: skip
    if result.duplicated(list(KEY)).any():
        raise ValueError(f"a key twice: {result.loc[result.duplicated(list(KEY)), list(KEY)].values.tolist()}")
    return result


def bind(*tables: pd.DataFrame) -> pd.DataFrame:
    """Several effects tables as one; raises ValueError where a key occurs twice."""
    return make_effects(row for table in tables for row in table.to_dict("records"))


def with_intervals(effects: pd.DataFrame, level: float) -> pd.DataFrame:
    """Fill in `conf_low`, `conf_high`, `conf_level` by Student's t; intervals that stand there stay.

    Levels of shares (unit `percent`) are reckoned on the logit scale, so that no interval leaves 0–100 (as R's
    `survey::svyciprop`); at 0 and 100 by Clopper & Pearson (1934, Biometrika 26) with the clusters as sample.
    Else a standard error of zero gives no interval: nothing varied, which says nothing about what could have.
    """
    result = effects.copy()
    reach = _reach(result, level)
    result["conf_low"], result["conf_high"] = result["estimate"] - reach, result["estimate"] + reach
    result["conf_level"] = level
    share = result["estimate"] / 100
    inside = (result["unit"] == "percent") & (share > 0) & (share < 1)
    centre, width = logit(share[inside]), (reach / 100)[inside] / (share * (1 - share))[inside]
    result.loc[inside, "conf_low"] = 100 * expit(centre - width)
    result.loc[inside, "conf_high"] = 100 * expit(centre + width)
    least = ((1 - level) / 2) ** (1 / result["n_clusters"].where(result["n_clusters"] > 1))
    for end, low, high in ((0.0, 0 * least, 100 * (1 - least)), (1.0, 100 * least, 100 + 0 * least)):
        edge = (result["unit"] == "percent") & (share == end)
        result.loc[edge, ["conf_low", "conf_high"]] = np.column_stack([low[edge], high[edge]])
    return result.assign(**{name: effects[name].fillna(result[name]) for name in ("conf_low", "conf_high")})


def _reach(effects: pd.DataFrame, level: float | pd.Series) -> pd.Series:
    """Half the width of Student's t interval; NaN without a standard error above zero or without df."""
    spread = effects["std_error"].where(effects["std_error"] > 0)
    return stats.t.ppf((1 + level) / 2, effects["df"].where(effects["df"] > 0)) * spread


def with_tests(effects: pd.DataFrame, of: pd.Series) -> pd.DataFrame:
    """Fill in `statistic` and `p_value` against zero for the rows `of`; no p-value where nothing varies."""
    result = effects.copy()
    rows = of & (result["std_error"] > 0) & (result["df"] > 0)
    statistic = (result["estimate"] / result["std_error"])[rows]
    result.loc[rows, "statistic"] = statistic
    result.loc[rows, "p_value"] = 2 * stats.t.sf(statistic.abs(), result.loc[rows, "df"])
    return result


def with_adjustment(effects: pd.DataFrame, family: pd.Series, *, screened: Container[str] = ()) -> pd.DataFrame:
    """Fill in the simultaneous interval and the adjusted p-value of each family of rows (NaN: no family).

    Intervals are Šidák's: Student's t with the row's own df at level^(1/m) for each of m rows (Šidák 1967, JASA 62);
    p-values are Holm's (1979, Scandinavian Journal of Statistics 6). Families of `screened` indicators get
    no interval and the p-values of Benjamini & Hochberg (1995, JRSS B 57): their false discovery rate. m = 1 leaves
    a row as it is; rows without a p-value count.
    """
    result = effects.copy()
    for _, members in family.dropna().groupby(family):
        rows = result.loc[members.index]
        screening, count = rows["indicator"].iloc[0] in screened, len(rows)
        if not screening:
            reach = _reach(rows, rows["conf_level"] ** (1 / count))
            result.loc[members.index, "conf_low_adjusted"] = rows["estimate"] - reach
            result.loc[members.index, "conf_high_adjusted"] = rows["estimate"] + reach
        p = rows["p_value"].fillna(1).to_numpy()
        adjusted, name = (stats.false_discovery_control(p), "bh") if screening else (_holm(p), "sidak, holm")
        result.loc[members.index, "p_adjusted"] = np.where(rows["p_value"].notna(), adjusted, np.nan)
        result.loc[members.index, "adjustment"] = f"{name} ({count})" if count > 1 or screening else "none"
    return result


def _holm(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(stepped, 1)[np.argsort(order)]


def select(effects: pd.DataFrame, **key: str) -> pd.DataFrame:
    """The effects whose columns have these values: `select(effects, indicator="hai_long", estimand="did")`."""
    found = np.ones(len(effects), dtype=bool)
    for column, value in key.items():
        found &= effects[column].to_numpy(dtype=object) == value
    return effects[found]


def differences(first: pd.DataFrame, second: pd.DataFrame, *, tolerance: float = 1e-9) -> pd.DataFrame:
    """Where two effects tables differ: `KEY`, `column`, `first`, `second`; none where they agree.

    Numbers agree within a relative or absolute `tolerance`; words must be equal; a row that only one table has
    is listed with column `row`.
    """
    keys = list(KEY)
    both = first.merge(second, on=keys, how="outer", suffixes=("_first", "_second"), indicator="side")
    rows = []
    for row in both.to_dict("records"):
        key = [row[name] for name in keys]
        if row["side"] != "both":
            present = row["side"] == "left_only"
            rows.append([*key, "row", "present" if present else "absent", "absent" if present else "present"])
            continue
        for name, kind in COLUMNS.items():
            if name in KEY:
                continue
            a, b = row[f"{name}_first"], row[f"{name}_second"]
            same = bool(np.isclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)) if kind is float else a == b
            if not same:
                rows.append([*key, name, a, b])
    return pd.DataFrame(rows, columns=[*keys, "column", "first", "second"])


def read_effects(path: Path) -> pd.DataFrame:
    """The effects table that a report saved as csv, every digit kept."""
    words = {name: str for name, kind in COLUMNS.items() if kind is str}
    frame = pd.read_csv(path, dtype=words, keep_default_na=False, na_values={
        name: [""] for name, kind in COLUMNS.items() if kind is float
    })  # fmt: skip
    return make_effects(frame.to_dict("records"))

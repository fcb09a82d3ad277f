"""Published series, points and targets as tables and sentences; context is never put into words with the pilot."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evalkit.encodings import fold
from evalkit.errors import DataError
from evalkit.indicators import FINDINGS, judge_targets, reproduce
from evalkit.indices import Definition, Family, Published, published_change, series
from evalkit.language import Language, counted, label, listing, number, plain, text
from evalkit.study import Study
from evalkit.tracing import as_name
from evalkit.values import exactly, group_label, shown, titled, unit_words, visible


def shown_nodes(wanted: Published, family: Family) -> list[str]:
    """The nodes to show of a family: those wanted, else the indices themselves."""
    return list(wanted.nodes or dict.fromkeys(definition.index.composite for definition in family.definitions))


def published(wanted: Published, family: Family, language: Language) -> pd.DataFrame:
    """Published values with their decimals: index, area, year, value, series and source; a missing one is a dash."""
    definitions = {definition.index.code: definition for definition in family.definitions}
    rows = []
    for node in shown_nodes(wanted, family):
        for area in wanted.areas:
            for row in series(family, node=node, area=area).to_dict("records"):
                definition = definitions[row["definition"]]
                rows.append(
                    {
                        "index_node": label(definition.labels()[node], language),
                        "index_area": area_label(area, language),
                        "index_year": as_name(row["year"]),
                        "index_value": shown(row["value"], row["decimals"], language),
                        "index_series": label(definition.index.label, language),
                        "index_source": row["source"],
                    }
                )
    return titled(rows, language)


def area_label(area: str, language: Language) -> str:
    """An area as the language calls it: the whole country has a name in both, provinces keep theirs."""
    key = "context_whole_country"
    return text(key, language) if fold(area) == fold(text(key, "vi")) else area


def family_name(family: Family) -> str:
    """The short name by which a family is known: SIPAS, PAPI, PCI."""
    return family.code.replace("_", " ").upper()


def definition_sentences(definition: Definition, language: Language) -> list[str]:
    """Where a definition comes from, whether it is verified, and what its numbers mean."""
    about = definition.index
    values = {"label": label(about.label, language), "source": label(about.source, language).rstrip(".")}
    sentence = text(f"index_definition_{about.status}", language, **values)
    return [sentence, label(about.note, language)] if about.note else [sentence]


def context_sentences(wanted: Published, family: Family, language: Language) -> list[str]:
    """What the series are, the breaks in them, and differences of neighbouring years, if none lies between.

    Nothing here knows a study: provincial and national indices are context and explain nothing about a pilot.
    """
    found = [sentence for definition in family.definitions for sentence in definition_sentences(definition, language)]
    years = family.published["year"]
    found += [
        text("context_break", language, year=b.year, reason=label(b.reason, language))
        for b in family.breaks(int(years.min()), 9999)
    ]
    for node in shown_nodes(wanted, family):
        for area in wanted.areas:
            rows = series(family, node=node, area=area).dropna(subset="value").to_dict("records")
            found += _missing_sentence(family, node, area, [row["year"] for row in rows], language)
            if len(rows) > 1:
                found.append(_change_sentence(family, node, area, rows[-2], rows[-1], language))
    return found


def _missing_sentence(family: Family, node: str, area: str, years: list[int], language: Language) -> list[str]:
    missing = [as_name(year) for year in range(min(years), max(years)) if year not in years] if years else []
    if not missing:
        return []
    words = next(d.labels()[node] for d in reversed(family.definitions) if node in d.labels())
    values = {"label": label(words, language), "area": area_label(area, language)}
    return [text("context_years_missing", language, **values, years=plain(listing(missing, language)))]


def _change_sentence(family: Family, node: str, area: str, before: dict, after: dict, language: Language) -> str:
    definition = next(d for d in family.definitions if d.index.code == after["definition"])
    values = {"label": label(definition.labels()[node], language), "area": area_label(area, language)}
    values |= {"first": before["year"], "last": after["year"]}
    try:
        change = published_change(family, node=node, area=area, first=before["year"], last=after["year"])
    except DataError as error:
        reason = error.problems[0].values["reason"]
        return text("context_broken", language, **values, reason=label(reason, language))
    unit = next((n.unit for n in definition.node if n.code == node), None)
    decimals = min(before["decimals"], after["decimals"])
    values |= {"before": number(before["value"], before["decimals"], language)}
    values |= {"after": number(after["value"], after["decimals"], language)}
    values |= {"change": number(change, decimals, language, sign=True)}
    points = "unit_percentage_points" if unit and unit.vi == "%" else "context_points_unit"
    return text("context_change", language, **values, unit=text(points, language))


def reproduction(family: Family, language: Language) -> pd.DataFrame:
    """How many published values follow from their published parts, by year; empty where no parts were published.

    Values follow that are equal within what rounding does to a sum or mean of up to ten published parts.
    """
    rows = []
    tolerance = 5.5 * 10.0 ** -family.published["decimals"].min()
    for definition in family.definitions:
        found = reproduce(definition, family.table(definition), tolerance=tolerance)
        found = found[found["finding"].isin(FINDINGS[:2])]
        for (node, year, finding), part in found.groupby(["node", "year", "finding"]):
            rows.append(
                {
                    "index_node": label(definition.labels()[node], language),
                    "index_year": as_name(f"{year:g}"),
                    "index_finding": text(f"index_finding_{finding}", language),
                    "index_rows": number(len(part), 0, language),
                    "index_difference": shown(part["difference"].abs().max(), 4, language),
                }
            )
    return titled(rows, language)


def points(
    found: pd.DataFrame, definition: Definition, study: Study, language: Language, *, differing: bool = False
) -> pd.DataFrame:
    """Self-scored beside appraised points, each criterion; those without evidence are listed and have no points.

    differing: only the criteria appraised otherwise than self-scored, and those without evidence or points.
    """
    labels = definition.labels()
    if differing:
        found = found[(found["status"] != "scored") | (found["difference"].fillna(0) != 0)]
    rows = []
    for row in found.to_dict("records"):
        scored = row["status"] == "scored"
        differs = scored and not np.isnan(row["difference"]) and row["difference"] != 0
        why = row["reason"] or (text("index_no_reason", language) if differs else "")
        rows.append(
            {
                "index_unit": study.unit_label(row["unit"], language),
                "index_year": as_name(row["year"]),
                "index_criterion": label(labels[row["criterion"]], language),
                "index_maximum": exactly(row["maximum"], language),
                "index_self": shown(row["self_points"], 1, language) if scored else "–",
                "index_appraised": shown(row["appraised_points"], 1, language) if scored else "–",
                "index_difference": shown(row["difference"], 1, language, sign=True) if scored else "–",
                "index_reason": why if scored else text(f"index_status_{row['status']}", language),
            }
        )
    return titled(rows, language)


def totals(found: pd.DataFrame, definition: Definition, study: Study, language: Language) -> pd.DataFrame:
    """Totals of the criteria counted, and which have another maximum; `found` of `indices.total_points`."""
    whole = found["maximum"].max()
    alike = bool((found["maximum"] == whole).all())
    bands = {band.code: label(band.label, language) for node in definition.node for band in node.bands}
    notes = {True: "", False: text("index_not_comparable", language)}
    rows = [
        {
            "index_unit": study.unit_label(row["unit"], language),
            "index_year": as_name(row["year"]),
            "index_scored": f"{counted(row['scored'])}/{counted(row['criteria'])}",
            "index_maximum": exactly(row["maximum"], language),
            "index_self": shown(row["self_points"], 1, language),
            "index_appraised": shown(row["appraised_points"], 1, language),
        }
        | ({"index_band": bands.get(row["band"], "–")} if bands else {})
        | ({} if alike else {"index_note": notes[row["maximum"] == whole]})
        for row in found.to_dict("records")
    ]
    return titled(rows, language)


def points_sentences(found: pd.DataFrame, definition: Definition, language: Language) -> list[str]:
    """What a set of criteria is and its points mean, which years are not alike, and how the appraisal differs."""
    sentences = [*definition_sentences(definition, language), text("index_points_self", language)]
    sentences += [
        text("context_break", language, year=b.year, reason=label(b.reason, language))
        for b in definition.series_break
        if found["year"].min() < b.year <= found["year"].max()
    ]
    without = int((found["status"] == "no_evidence").sum())
    if without:
        sentences.append(text("index_points_unscored", language, count=number(without, 0, language)))
    both = found.loc[found["status"] == "scored", "difference"].dropna()
    if len(both):
        counts = {"lower": int((both < 0).sum()), "higher": int((both > 0).sum()), "count": len(both)}
        mean = number(both.mean(), 2, language, sign=True)
        sentences.append(text("index_points_difference", language, **counts, mean=mean))
    return sentences


def targets(effects: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """Each declared target before and after: the level with its interval, and the verdict that the interval allows.

    Levels of too few people are left out with their verdicts. Empty where no target is declared.
    """
    judged = judge_targets(visible(effects, study), study.index)
    rows = []
    for (indicator, group), part in judged.groupby(["indicator", "group"], sort=False):
        node = study.index[indicator]
        assert node.target is not None  # only targets are judged
        # The target as it was declared, with all its digits.
        aim = exactly(node.target, language)
        unit = unit_words(study, indicator, "percent" if node.aggregate in ("share", "pooled") else "points (0-100)",
                          language)  # fmt: skip
        row = {
            "index_node": f"{label(node.label, language)} ({unit})",
            "index_unit": group_label(study, group, language),
            "index_target": text("index_target_to" if node.direction == "lower" else "index_target_from", language,
                                 target=aim),
        }  # fmt: skip
        found = part.set_index("period").to_dict("index")
        for period in ("before", "after"):
            level = found.get(period, {"estimate": np.nan, "verdict": "undecided"})
            seen = np.isfinite(level["estimate"])
            row[f"index_{period}"] = _level(level, node.decimals, language) if seen else "–"
            row[f"index_{period}_verdict"] = text(f"index_verdict_{level['verdict']}", language) if seen else "–"
        rows.append(row)
    return titled(rows, language)


def _level(level: dict, decimals: int, language: Language) -> str:
    estimate = shown(level["estimate"], decimals, language)
    low, high = (shown(level[end], decimals, language) for end in ("conf_low", "conf_high"))
    return f"{estimate} ({text('range', language, low=low, high=high)})"

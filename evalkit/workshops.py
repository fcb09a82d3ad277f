"""Workshops: which themes are covered by whom, how far coders agree, what solutions and opinions led to."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from evalkit.agreement import Agreement, cohen, fleiss, krippendorff, percent_agreement
from evalkit.effects import make_effects
from evalkit.encodings import fold
from evalkit.guessing import bare
from evalkit.workshop_files import AGREED, DECISIONS, LEVELS, MAIN, Workshop, codes_of, in_order, settled


def coverage(workshop: Workshop) -> pd.DataFrame:
    """How many papers of each kind of organisation speak of each theme: `theme, kind, papers, presented`.

    All themes and kinds have rows, also without any paper. A paper with several themes counts in each of them.
    """
    pairs = settled(workshop).merge(workshop.papers, on="paper")
    known = [codes_of(workshop.declared.themes), codes_of(workshop.declared.kinds)]
    places = pd.MultiIndex.from_product(known, names=["theme", "kind"])
    counts = pairs.groupby(["theme", "kind"])["presented"].agg(papers="size", presented="sum")
    return counts.reindex(places, fill_value=0).astype(int).reset_index()


def uncovered(workshop: Workshop) -> list[str]:
    """The themes that no paper speaks of."""
    totals = coverage(workshop).groupby("theme", sort=False)["papers"].sum()
    return list(totals.index[totals == 0])


def received(workshop: Workshop) -> pd.DataFrame:
    """Papers by kind of organisation, also kinds without any: `kind, organisations, papers, presented`."""
    papers = workshop.papers.assign(who=workshop.papers["organisation"].map(fold))
    counts = papers.groupby("kind").agg(
        organisations=("who", "nunique"), papers=("paper", "size"), presented=("presented", "sum")
    )
    counts = counts.reindex(codes_of(workshop.declared.kinds), fill_value=0)
    return counts.rename_axis("kind").astype(int).reset_index()


def agreement(workshop: Workshop, *, confidence: float = 0.95) -> pd.DataFrame:
    """How far the coders agree, as rows of effects, before they settled anything together.

    `indicator` is `workshop_themes`; `group` the theme, or `main` for the one named first; `estimand` is `agreement`;
    `method` `percent agreement`, `Krippendorff alpha` (all papers that two or more coded), and over those that all
    coded `Cohen kappa` (two coders, analytic interval) or `Fleiss kappa` (more). The intervals of alpha and Fleiss
    are of the jackknife over papers. `n_clusters` are the papers. One coder gives no row.
    """
    found = workshop.themes[workshop.themes["coder"] != AGREED]
    if found["coder"].nunique() < 2:
        return make_effects([])
    order = {code: float(at) for at, code in enumerate(codes_of(workshop.declared.themes))}
    first = found[found["main"]].assign(code=lambda rows: rows["theme"].map(order))
    coded = first.pivot(index="paper", columns="coder", values="code")
    tables = {MAIN: coded}
    for theme in order:
        given = found[found["theme"] == theme].assign(code=1.0).pivot(index="paper", columns="coder", values="code")
        tables[theme] = given.reindex(index=coded.index, columns=coded.columns).fillna(0.0).where(coded.notna())
    rows = []
    for group, table in tables.items():
        codes = table.to_numpy()
        if codes.shape[1] == 2:
            second, kappa = "Cohen kappa", cohen(codes, confidence=confidence)
        else:
            second, kappa = "Fleiss kappa", fleiss(codes, confidence=confidence)
        alpha = krippendorff(codes, confidence=confidence)
        percent = Agreement(percent_agreement(codes), alpha.units, alpha.coders)
        for method, one in (("percent agreement", percent), ("Krippendorff alpha", alpha), (second, kappa)):
            rows.append(_agreement_row(group, method, one, confidence))
    return make_effects(rows)


def links(workshop: Workshop) -> pd.DataFrame:
    """One row a solution and indicator that it claims to move, an empty one where it names none.

    `group, level, solution, text, papers, kinds, piloted, indicator`: papers and kinds count the papers that
    propose the solution and the kinds of organisation that these come from. Solutions stand by group, then by level.
    """
    kinds, solutions = workshop.papers.set_index("paper")["kind"], workshop.solutions
    frame = solutions.assign(
        papers=solutions["papers"].map(len),
        kinds=[kinds.reindex(list(papers)).nunique() for papers in solutions["papers"]],
        indicator=[indicators or ("",) for indicators in solutions["indicators"]],
    ).explode("indicator")
    frame = frame[["group", "level", "solution", "text", "papers", "kinds", "piloted", "indicator"]]
    return in_order(frame, {"group": codes_of(workshop.declared.groups), "level": list(LEVELS)})


def decisions(workshop: Workshop, by: str = "theme") -> pd.DataFrame:
    """How many opinions were accepted, partly or not, by `theme` or `kind`: that column, then one a decision."""
    known = codes_of(workshop.declared.themes if by == "theme" else workshop.declared.kinds)
    counts = workshop.opinions.groupby([by, "decision"]).size().unstack(fill_value=0)
    return counts.reindex(index=pd.Index(known, name=by), columns=list(DECISIONS), fill_value=0).reset_index()


def changes(workshop: Workshop) -> pd.DataFrame:
    """What changed in the draft: `place, draft_before, draft_after, opinions`, the last the codes that led to it."""
    moved = workshop.opinions[workshop.opinions["decision"] != "not_accepted"]
    parts = ["place", "draft_before", "draft_after"]
    found = moved.groupby(parts, sort=False)["opinion"].agg(tuple).rename("opinions")
    return found.reset_index()


def find(workshop: Workshop, words: str) -> pd.DataFrame:
    """Where words stand in titles, solutions and opinions, whatever their tone marks and case: `table, code, text`.

    The words must follow one another, each whole: «mot cua» finds «Một cửa», «an» does not find «dân».
    """
    wanted = re.compile(rf"\b{re.escape(bare(words))}\b")
    places = (
        ("papers", "paper", ("title", "organisation")),
        ("solutions", "solution", ("text",)),
        ("opinions", "opinion", ("text", "explanation", "draft_after", "organisation")),
    )
    rows = [
        {"table": table, "code": row[code], "text": row[column]}
        for table, code, columns in places
        for row in getattr(workshop, table).to_dict("records")
        for column in columns
        if words.strip() and wanted.search(bare(row[column]))
    ]
    return pd.DataFrame(rows, columns=["table", "code", "text"])


def _agreement_row(group: str, method: str, found: Agreement, confidence: float) -> dict[str, Any]:
    words = {"indicator": "workshop_themes", "group": group, "estimand": "agreement", "method": method}
    words |= {"contrast": f"{found.coders} coders", "weights": "none"}
    words |= {"unit": "percent" if method == "percent agreement" else "ratio"}
    numbers = {name: getattr(found, name) for name in ("estimate", "std_error", "conf_low", "conf_high")}
    level = np.nan if np.isnan(found.conf_low) else confidence
    return words | numbers | {"conf_level": level, "n_clusters": found.units}

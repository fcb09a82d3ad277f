"""A workshop as tables and sentences: papers and themes, agreement of coders, solutions beside what was measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evalkit.claims import Claim, claims
from evalkit.language import Language, label, listing, number, plain, text
from evalkit.licence import licence
from evalkit.sample import BETWEEN, CHANGE, DID
from evalkit.study import Study
from evalkit.values import Values, group_label, main_group, main_hidden, shown, suppressed, titled, unit_words
from evalkit.workshop_files import DECISIONS, MAIN, Workshop, labels, settled, unsettled
from evalkit.workshops import changes, coverage, decisions, links, received, uncovered

TENTATIVE, RELIABLE = 0.667, 0.800  # Krippendorff (2004), Human Communication Research 30


def received_sentence(workshop: Workshop, language: Language) -> str:
    """How many papers came, from how many organisations, and how many were presented."""
    counts = received(workshop)[["organisations", "papers", "presented"]].sum()
    kinds = int((received(workshop)["papers"] > 0).sum())
    filled = {name: number(count, 0, language) for name, count in {**counts, "kinds": kinds}.items()}
    title = plain(label(workshop.declared.workshop.title, language))
    return text("workshop_received", language, title=title, **filled)


def papers(workshop: Workshop, language: Language) -> pd.DataFrame:
    """The catalogue: each paper, its organisation, whether it was presented, its themes; titles as handed in."""
    names = labels(workshop.declared.themes, language)
    themes = settled(workshop).groupby("paper")["theme"].agg(lambda found: "; ".join(found.map(names)))
    rows = [
        {
            "workshop_paper": row.paper,
            "workshop_title": row.title,
            "workshop_organisation": row.organisation,
            "workshop_presented": text(f"workshop_answer_{'yes' if row.presented else 'no'}", language),
            "workshop_themes": themes.get(row.paper, "–"),
        }
        for row in workshop.papers.itertuples()
    ]
    return titled(rows, language)


def coverage_table(workshop: Workshop, language: Language) -> pd.DataFrame:
    """Papers by theme and kind of organisation, those presented in brackets; the last column counts all papers."""
    kinds, counts = labels(workshop.declared.kinds, language), coverage(workshop)
    totals = counts.groupby("theme")[["papers", "presented"]].sum()
    rows = []
    for theme, name in labels(workshop.declared.themes, language).items():
        found = counts[counts["theme"] == theme].set_index("kind")
        cells = {kinds[kind]: _papers(row.papers, row.presented, language) for kind, row in found.iterrows()}
        together = _papers(totals.loc[theme, "papers"], totals.loc[theme, "presented"], language)
        row = {text("column_workshop_theme", language): name} | cells
        rows.append(row | {text("column_workshop_all", language): together})
    return pd.DataFrame(rows)


def coverage_sentences(workshop: Workshop, language: Language) -> list[str]:
    """The themes that no paper speaks of, kinds that sent none, papers without a theme that their coders share."""
    names = labels(workshop.declared.themes, language)
    missing, open_papers = [f"«{plain(names[theme])}»" for theme in uncovered(workshop)], unsettled(workshop)
    found = [text("workshop_covered", language)]
    if missing:
        found = [text("workshop_uncovered", language, themes=listing(missing, language))]
    kinds, sent = labels(workshop.declared.kinds, language), received(workshop)
    absent = [f"«{plain(kinds[kind])}»" for kind in sent.loc[sent["papers"] == 0, "kind"]]
    if absent:
        found.append(text("workshop_kinds_absent", language, kinds=listing(absent, language)))
    if open_papers:
        found.append(text("workshop_open", language, papers=listing(list(map(plain, open_papers)), language)))
    return found


def agreement(effects: pd.DataFrame, workshop: Workshop, language: Language) -> pd.DataFrame:
    """How far the coders agree, by theme; `effects` from `workshops.agreement`, read by alpha's lower end."""
    names = {MAIN: text("workshop_main_theme", language), **labels(workshop.declared.themes, language)}
    coders = workshop.coders
    rows = []
    for group, found in effects.groupby("group", sort=False):
        percent, alpha, kappa = (found.iloc[at] for at in range(3))
        rows.append(
            {
                "workshop_theme": names[group],
                "workshop_coders": number(coders, 0, language),
                "workshop_percent": shown(percent["estimate"], 0, language),
                "workshop_alpha": _with_interval(alpha, language),
                "workshop_alpha_papers": number(alpha["n_clusters"], 0, language),
                f"workshop_{kappa['method'].split()[0].lower()}": _with_interval(kappa, language),
                "workshop_kappa_papers": number(kappa["n_clusters"], 0, language),
                "workshop_reading": text(f"workshop_agreement_{_reading(alpha)}", language),
            }
        )
    return titled(rows, language)


def agreement_sentence(effects: pd.DataFrame, language: Language) -> str:
    """What the intervals rest on, and the limits by which the table reads them."""
    if effects.empty:
        return text("workshop_no_agreement", language)
    cohens = effects["method"].eq("Cohen kappa").any()
    return text(
        "workshop_agreement_cohen" if cohens else "workshop_agreement_fleiss", language,
        tentative=number(TENTATIVE, 3, language), reliable=number(RELIABLE, 3, language),
    )  # fmt: skip


def solutions(workshop: Workshop, effects: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """Every solution beside the measured change of each indicator that it claims to move; effects from `compare`.

    The verdict is that of `claims` on the same indicator, so it is no stronger than the design; it speaks of the
    pilot as a whole, for no design here tells one solution from another. A solution that was not part of the pilot
    has no measured change, and an indicator outside the plan no verdict.
    """
    said = {(claim.indicator, claim.group): claim for claim in claims(effects, study, language)}
    groups = labels(workshop.declared.groups, language)
    rows = []
    for row in links(workshop).itertuples():
        measured, verdict = "–", text("workshop_verdict_untried", language)
        name = label(study.index[row.indicator].label, language) if row.indicator else "–"
        if row.piloted and row.indicator in study.plan.outcomes:
            claim = said[row.indicator, main_group(effects, study, row.indicator)]
            measured, verdict = _measured(claim, effects, study, language), _verdict(claim, effects, study, language)
        elif row.piloted:
            verdict = text(f"workshop_verdict_{'unplanned' if row.indicator else 'no_indicator'}", language)
        rows.append(
            {
                "workshop_group": groups[row.group],
                "workshop_level": text(f"workshop_level_{row.level}", language),
                "workshop_solution": f"{row.solution}. {row.text}",
                "workshop_support": text("workshop_support", language, papers=row.papers, kinds=row.kinds),
                "workshop_piloted": text(f"workshop_answer_{'yes' if row.piloted else 'no'}", language),
                "indicator": name,
                "workshop_measured": measured,
                "workshop_verdict": verdict,
            }
        )
    return titled(rows, language)


def solution_sentence(workshop: Workshop, language: Language) -> str:
    """How many solutions in how many groups, and how many of them the pilot tried."""
    found = workshop.solutions
    counts = {"solutions": len(found), "groups": found["group"].nunique(), "piloted": int(found["piloted"].sum())}
    return text("workshop_solutions", language, **{name: number(n, 0, language) for name, n in counts.items()})


def opinions(workshop: Workshop, language: Language) -> pd.DataFrame:
    """Every opinion on the draft, what was decided on it, and the explanation given."""
    names = labels(workshop.declared.themes, language)
    rows = [
        {
            "workshop_opinion": f"{row.opinion}. {row.text}",
            "workshop_organisation": row.organisation,
            "workshop_theme": names[row.theme],
            "workshop_place": row.place,
            "workshop_decision": text(f"workshop_decision_{row.decision}", language),
            "workshop_explanation": row.explanation or "–",
        }
        for row in workshop.opinions.itertuples()
    ]
    return titled(rows, language)


def decisions_table(workshop: Workshop, language: Language) -> pd.DataFrame:
    """Opinions by kind of organisation and decision; kinds without an opinion are left out."""
    names, counts = labels(workshop.declared.kinds, language), decisions(workshop, "kind")
    counts = counts[counts[list(DECISIONS)].sum(axis=1) > 0]
    titles = {one: text(f"workshop_decision_{one}", language) for one in DECISIONS}
    return pd.DataFrame(
        {text("column_workshop_kind", language): names[row["kind"]]}
        | {title: number(row[one], 0, language) for one, title in titles.items()}
        for row in counts.to_dict("records")
    )


def changes_table(workshop: Workshop, language: Language) -> pd.DataFrame:
    """What changed in the draft, and which opinions led to it."""
    rows = [
        {
            "workshop_place": row.place,
            "workshop_before": row.draft_before or text("workshop_nothing", language),
            "workshop_after": row.draft_after or text("workshop_removed", language),
            "workshop_because": ", ".join(row.opinions),
        }
        for row in changes(workshop).itertuples()
    ]
    return titled(rows, language)


def opinion_sentence(workshop: Workshop, language: Language) -> str:
    """How many opinions there were on which draft, and how many were accepted, in part, or not."""
    draft = workshop.declared.workshop.draft
    counts = workshop.opinions["decision"].value_counts().reindex(list(DECISIONS), fill_value=0)
    filled = {name: number(int(count), 0, language) for name, count in counts.items()}
    return text(
        "workshop_opinions", language, draft=plain(label(draft, language)) if draft else "–",
        opinions=number(len(workshop.opinions), 0, language), **filled,
    )  # fmt: skip


def _papers(count: float, presented: float, language: Language) -> str:
    if not count:
        return "–"
    counts = {"papers": number(count, 0, language), "presented": number(presented, 0, language)}
    return text("workshop_cell", language, **counts)


def _with_interval(effect: pd.Series, language: Language) -> str:
    estimate = shown(effect["estimate"], 2, language)
    if np.isnan(effect["conf_low"]):
        value = effect["estimate"]
        kind = "undefined" if np.isnan(value) else "perfect" if value > 1 - 1e-9 else "few"
        reason = text(f"workshop_no_interval_{kind}", language)
        return text("workshop_no_interval", language, estimate=estimate, reason=reason)
    ends = text("range", language, **{end: shown(effect[f"conf_{end}"], 2, language) for end in ("low", "high")})
    return f"{estimate} ({ends})"


def _reading(alpha: pd.Series) -> str:
    if np.isnan(alpha["conf_low"]):
        return "unknown"
    return "reliable" if alpha["conf_low"] >= RELIABLE else "tentative" if alpha["conf_low"] >= TENTATIVE else "weak"


def _measured(claim: Claim, effects: pd.DataFrame, study: Study, language: Language) -> str:
    """The change that the claim rests on, with its unit and simultaneous interval."""
    if main_hidden(effects, study, claim.indicator):
        return suppressed(study, language)
    if licence(study, claim.indicator) == "describe":
        return text("not_compared", language)
    values = Values(effects, study, language)
    keys = {BETWEEN: ("did", DID, "unit t")}
    row = values.row(claim.indicator, claim.group, *keys.get(claim.group, ("change", CHANGE, "linearised")))
    value = f"{values.shown(row)} {unit_words(study, claim.indicator, row['unit'], language)}"
    measured = text(f"workshop_measured_{row['estimand']}", language, value=value)
    if np.isnan(row["conf_low_adjusted"]):
        return measured
    ends = {end: values.shown(row, f"conf_{end}_adjusted") for end in ("low", "high")}
    return f"{measured} ({text('range', language, **ends)})"


def _verdict(claim: Claim, effects: pd.DataFrame, study: Study, language: Language) -> str:
    words = licence(study, claim.indicator)
    if words == "describe" or main_hidden(effects, study, claim.indicator):
        return text("workshop_verdict_described", language)
    if claim.indicator in study.plan.screening:
        return text("workshop_verdict_screened", language)
    kind = "change" if claim.estimand != "did" else "effect" if words == "effect" else "more"
    group = group_label(study, claim.group, language)
    return text(f"workshop_verdict_{kind}_{claim.direction}", language, group=group)

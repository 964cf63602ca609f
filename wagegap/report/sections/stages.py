"""Premiums and rates of a study: what they are by country, who is watched, who is absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from wagegap._display.numbers import spaced
from wagegap._display.sentences import Quantity, Scale, say
from wagegap.errors import StudyError, listing
from wagegap.estimation.cross_products import CrossProducts
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.units import level_of
from wagegap.panel.countries import country_name
from wagegap.panel.load import read_panel
from wagegap.panel.panel import Panel
from wagegap.regression.link.fit import fit_link
from wagegap.regression.premiums.premium import Premiums, fit_premiums
from wagegap.regression.selection.selection import Selection
from wagegap.report.figures import plot_forest
from wagegap.report.findings import Finding, Part, Section
from wagegap.report.kinds import COMMON, KINDS, PUBLISHED, estimator_of
from wagegap.report.sections.context import Context, call, estimates_in, label_of, source_in, title_of
from wagegap.report.sections.frames import country_key_of, frame_of, notes_of
from wagegap.report.sections.names import file_name
from wagegap.report.sections.pictures import picture_of
from wagegap.report.shipped import load_shipped
from wagegap.report.study_file import without
from wagegap.report.table import Table, table

__all__ = ["counted", "covariates", "panel_of", "premiums_in_words", "rates_in_words", "stage_part"]


_MOST_ROWS, _CHOSEN_ROWS = 70, 30
"""Cells that a figure of the report holds, and how many it shows where there are more."""

# data ----------------------------------------------------------------------------------------------------------------


def panel_of(where: str, options: Mapping[str, Any], context: Context) -> Panel:
    """Read a panel from the file that a section names; with `transitions`, who is elsewhere next."""
    entries = without(options, "path", "transitions", *COMMON)
    panel: Panel = call(where, read_panel, str(context.folder / options["path"]), **entries)
    follow = options.get("transitions", False)
    if follow is False:
        return panel
    moved: Panel = call(where, Panel.transitions, panel, **({} if follow is True else follow))
    return moved


def covariates(where: str, options: Mapping[str, Any], context: Context) -> pd.DataFrame:
    """Return a table of controls, read from a file or shipped."""
    if "shipped" not in options:
        return panel_of(where, options, context).frame
    result = load_shipped(where, options["shipped"])
    if not isinstance(result, pd.DataFrame):
        raise StudyError(f"{where}: what is shipped under this name is no table of covariates, such as 'income'.")
    return result


def _estimated(where: str, kind: str, entries: Mapping[str, Any], context: Context) -> Any:
    """A result: fitted to a panel, to shipped cross-products, of a table of published figures, or shipped itself."""
    estimator = estimator_of(kind, entries, where)
    besides = KINDS[kind].besides.get(estimator.__name__, ())
    options = without(entries, *COMMON, *KINDS[kind].places, KINDS[kind].chosen_by, *besides)
    if "path" in entries:
        path = str(context.folder / entries["path"])
        return call(where, estimator, path if estimator is PUBLISHED else call(where, read_panel, path), **options)
    if "shipped" not in entries:
        fitted = call(where, estimator, context.result("panels", entries["panel"], where), **options)
        return call(where, Selection.premium, fitted, entries["premium"]) if isinstance(fitted, Selection) else fitted
    if "panel" in entries:
        options["panel"] = entries["panel"]
    result = load_shipped(where, entries["shipped"])
    if isinstance(result, CrossProducts):
        return call(where, fit_premiums, result, **options)
    if not isinstance(result, Estimates):
        raise StudyError(f"{where}: what is shipped under this name is a table of covariates, not estimates.")
    if options:
        raise StudyError(f"{where} has entries that shipped estimates do not take: {listing(options)}.")
    return result


# parts of the report -------------------------------------------------------------------------------------------------


def stage_part(kind: str, name: str, entries: Mapping[str, Any], context: Context) -> Part:
    """Carry out a section of premiums or of rates."""
    label, watch = label_of(entries, name), context.watch
    result = _estimated(f"[{kind}.{name}]", kind, entries, context)
    estimates, in_words = estimates_in(result), _IN_WORDS[kind]
    parts = _by_term(estimates, label)
    findings = [Finding(about, in_words(part, watch)) for about, part in parts]
    findings += [Finding(label, said, "absent") for said in _absences(result, watch)]
    pictures, key = {}, f"{kind}_{name}"
    for about, part in parts:
        of_term = key if len(parts) == 1 else f"{key}_{file_name(part.labels['term'].iloc[0])}"
        pictures[of_term] = picture_of(_forest(part, watch), about)
    section = Section(
        key, kind, title_of(entries, name), lead=_LEADS[kind](parts[0][1], watch), findings=tuple(findings),
        figures=tuple(pictures), tables=(key,), frame=frame_of(result), notes=notes_of(result),
        source=source_in(entries), methods=_methods(kind, entries, estimates),
    )  # fmt: skip
    return Part.drawn(section, pictures, tables={key: _table(result, label)}, result=result)


def _table(result: Any, label: str) -> Table:
    """Every number in the unit that sentences have, countries by their names and the largest estimate first."""
    estimates = estimates_in(result)
    key = country_key_of(estimates)
    names = {} if key is None else {str(code): country_name(str(code)) for code in estimates.labels[key].unique()}
    by_size = key is not None and len(estimates.by) == 1
    order = np.argsort(-estimates.values, kind="stable") if by_size else np.arange(len(estimates.values))
    cells = estimates.labels[[*estimates.by, "term"]].iloc[order]
    rows = [" ".join(map(str, row)) for row in cells.itertuples(index=False)]
    spoken = {"log": "log points", "share": "per cent"}.get(estimates.unit)
    shown = result if spoken is None else estimates.in_unit(spoken)
    notes = [] if spoken is None else [note for note in notes_of(result) if note not in shown.notes]
    return table(shown, title=label, layout="long", labels=names, rows=rows, notes=notes)


def _methods(kind: str, entries: Mapping[str, Any], estimates: Estimates) -> tuple[str, ...]:
    """What estimated a section here, and what its errors are from where that is a method of its own."""
    if not _fitted(entries):
        return ()
    replicated = "replicate" in estimates.describe()
    return (estimator_of(kind, entries).__name__, *(["replicates"] if replicated else []))


def _fitted(entries: Mapping[str, Any]) -> bool:
    """Whether a section is estimated here, not taken as it is."""
    return "panel" in entries or "premium" in entries


def _forest(estimates: Estimates, watch: list[str]) -> Any:
    """Estimates of every cell where a page can hold them, else of a choice that the axis names."""
    n = len(estimates.values)
    return plot_forest(estimates, keep=watch, watch=watch, at_most=n if n <= _MOST_ROWS else _CHOSEN_ROWS)


def _by_term(estimates: Estimates, label: str) -> list[tuple[str, Estimates]]:
    """Estimates of each term, called by it where there are several."""
    terms = list(dict.fromkeys(estimates.labels["term"].astype(str)))
    if len(terms) == 1:
        return [(label, estimates)]
    return [(f"{label}: {term}", estimates.select(term=term)) for term in terms]


def _absences(result: Any, watch: list[str]) -> list[str]:
    """Which watched countries have no premium, and why."""
    key = country_key_of(estimates_in(result)) if isinstance(result, Premiums) else None
    if key is None or key not in result.absent:
        return []
    order = {iso3: i for i, iso3 in enumerate(watch)}
    wanted = result.absent[result.absent[key].isin(watch)]
    wanted = wanted.sort_values(key, key=lambda column: column.map(order), kind="stable")
    keys = [name for name in result.estimates.by if name != key]
    rows = wanted.to_dict("records")
    return [_absence({str(name): value for name, value in row.items()}, key, keys) for row in rows]


def _absence(row: Mapping[str, Any], country: str, keys: Sequence[str]) -> str:
    """Which premium a country lacks, and why."""
    where = " ".join([country_name(str(row[country])), *(str(row[key]) for key in keys)])
    term = row.get("term")
    said = f"{where} is absent" if not isinstance(term, str) else f"{where} has no premium of {term}"
    return f"{said}: {row['n_treated']} holders among {row['n']} ({row['reason']})."


# in words ------------------------------------------------------------------------------------------------------------


def premiums_in_words(estimates: Estimates, watch: list[str]) -> str:
    """Mean and spread by random effects, and the countries watched."""
    scale, cells = level_of(estimates.unit), counted(estimates)
    watched, numbers = _watched(estimates, watch, scale)
    unknown = int(estimates.bse.isna().sum())
    if unknown:
        of = "" if unknown == len(estimates.values) else f" of {unknown}"
        return say(f"{{cells}}, standard errors{of} unknown{watched}.", cells=cells, **numbers)
    if len(estimates.values) < 2:
        return say(f"{{cells}}: {{mean}}{watched}.", cells=cells, mean=scale.level(estimates.values[0]), **numbers)
    pooled = fit_link(f"`{estimates.labels['term'].iloc[0]}` ~ 1", estimates, None, method="meta")
    return say(
        "{cells}, mean {mean} ({error}); true premiums differ by a standard deviation of {tau}, against "
        f"a median standard error of {{typical}}{watched}.",
        cells=cells, mean=scale.level(pooled.params.iloc[0]), error=scale.size(pooled.bse.iloc[0]),
        tau=scale.size(np.sqrt(pooled.tau2 or 0.0)), typical=scale.size(estimates.bse.median()), **numbers,
    )  # fmt: skip


def rates_in_words(estimates: Estimates, watch: list[str]) -> str:
    """How many rates there are, from the lowest to the highest, and the countries watched."""
    values = estimates.values
    scale = level_of(estimates.unit, observed=values)
    watched, numbers = _watched(estimates, watch, scale)
    ends = scale.interval(values.min(), values.max(), levels=True, bare=False)
    return say(f"{{n}} rates from {{ends}}{watched}.", n=len(values), ends=ends, **numbers)


def counted(estimates: Estimates) -> str:
    """How many cells there are, by what tells them apart: countries, whatever their column is called.

    >>> import wagegap as wg
    >>> counted(wg.datasets.published_premiums())
    '6 countries'
    """
    n, country = len(estimates.values), country_key_of(estimates)
    if country is not None and len(estimates.by) == 1:
        return f"{n} {'country' if n == 1 else 'countries'}"
    by = " and ".join("country" if key == country else spaced(key) for key in estimates.by)
    return f"{n} {'cell' if n == 1 else 'cells'}{f' by {by}' if by else ''}"


def _watched(estimates: Estimates, watch: list[str], scale: Scale) -> tuple[str, dict[str, Quantity | str]]:
    """Values of the countries watched, as the end of a template, and its fields."""
    key = country_key_of(estimates) if watch else None
    if key is None:
        return "", {}
    rows = [i for iso3 in watch for i in np.flatnonzero(estimates.labels[key] == iso3).tolist()]
    stated, numbers = [], dict[str, Quantity | str]()
    for i in rows:
        stated.append(f"{{country_{i}}} {{value_{i}}} ({{error_{i}}})")
        error = float(estimates.bse.iloc[i])
        numbers[f"country_{i}"] = country_name(str(estimates.labels[key].iloc[i]))
        numbers[f"value_{i}"] = scale.level(estimates.values[i])
        numbers[f"error_{i}"] = "error unknown" if np.isnan(error) else scale.size(error)
    return f"; {', '.join(stated) or 'the countries watched are not among them'}", numbers


def _premiums_lead(estimates: Estimates, watch: list[str]) -> str:
    """Say the mean premium with its interval, or the range where errors are unknown, and the countries watched."""
    scale, cells = level_of(estimates.unit), counted(estimates)
    watched, numbers = _watched(estimates, watch, scale)
    if estimates.bse.isna().any() or len(estimates.values) < 2:
        ends = scale.interval(estimates.values.min(), estimates.values.max(), levels=True, bare=False)
        low, high = estimates.conf_int().iloc[0]
        known = "" if np.isnan(low) else " (95 % interval {interval})"
        of = "Premiums of {cells} run from {ends}" if len(estimates.values) > 1 else f"The premium is {{value}}{known}"
        value, interval = scale.level(estimates.values[0]), scale.interval(low, high, levels=True)
        return say(f"{of}{watched}.", cells=cells, ends=ends, value=value, interval=interval, **numbers)
    pooled = fit_link(f"`{estimates.labels['term'].iloc[0]}` ~ 1", estimates, None, method="meta")
    low, high = pooled.conf_int().iloc[0]
    return say(
        f"Across {{cells}} the premium is {{mean}} on average (95 % interval {{interval}}){watched}.", cells=cells,
        mean=scale.level(pooled.params.iloc[0]), interval=scale.interval(low, high, levels=True), **numbers,
    )  # fmt: skip


def _rates_lead(estimates: Estimates, watch: list[str]) -> str:
    """Say the range of rates, where its ends are, and the countries watched."""
    values = estimates.values
    scale, key = level_of(estimates.unit, observed=values), country_key_of(estimates)
    watched, numbers = _watched(estimates, watch, scale)
    if len(values) < 2:
        return say(f"The rate is {{value}}{watched}.", value=scale.level(values[0]), **numbers)
    names = estimates.labels[key].map(country_name).tolist() if key is not None else estimates.names
    return say(
        f"{{cells}}, from {{low}} ({{lowest}}) to {{high}} ({{highest}}){watched}.",
        cells=counted(estimates), low=scale.level(values.min()).bare_copy(),
        high=scale.level(values.max()), lowest=str(names[int(values.argmin())]),
        highest=str(names[int(values.argmax())]), **numbers,
    )  # fmt: skip


_InWords: TypeAlias = Callable[[Estimates, list[str]], str]
_IN_WORDS: dict[str, _InWords] = {"premiums": premiums_in_words, "rates": rates_in_words}
_LEADS: dict[str, _InWords] = {"premiums": _premiums_lead, "rates": _rates_lead}

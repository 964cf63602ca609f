"""A study: sources, premiums, rates and links in a small TOML file, carried out and written as one report.

Nothing is hidden: a link that is refused for low reliability, a country that is too small, cells that do not match are
findings like any other.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.axes import figure_of
from wagegap._display.numbers import spaced
from wagegap._display.sentences import Quantity, Scale, say
from wagegap._display.spec import plain
from wagegap._progress import track
from wagegap.errors import (
    IdentificationWarning,
    ReliabilityError,
    ReliabilityWarning,
    SmallCellWarning,
    StudyError,
    WagegapError,
    listing,
)
from wagegap.estimation.cross_products import CrossProducts
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.estimation.units import level_of
from wagegap.panel.countries import country_name, hold_countries
from wagegap.panel.load import read_panel
from wagegap.panel.panel import Panel
from wagegap.regression.link.fit import fit_link
from wagegap.regression.link.questions.sensitivity import Sensitivity, sensitivity
from wagegap.regression.link.result import Link
from wagegap.regression.premiums.premium import Premiums, fit_premiums
from wagegap.regression.rates.mobility import fit_rates
from wagegap.report.caution import examine
from wagegap.report.figures import add_title, plot_forest, plot_link
from wagegap.report.folder import same_file
from wagegap.report.page import Finding, Study
from wagegap.report.shipped import load_shipped
from wagegap.report.study_file import LINK_TAKES, StudyFile, check_call, countries, read_study, section, without
from wagegap.report.table import Table, table

__all__ = ["study"]

_T = TypeVar("_T")
_LONGEST_TERM = 60
"""Letters of a term in the name of a file."""
_COLUMNS = {"ols": "naive", "ml": "likelihood"}
"""What columns of a table of a link are called, where not by the method."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What a section adds to the report."""

    findings: list[Finding] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    figures: dict[str, tuple[Any, str]] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)


@public
def study(
    source: Annotated[str | Path | Mapping[Any, Any], "the path of a TOML file, or its content"] | None = None,
    *,
    progress: bool = False,
) -> Study:
    """Carry out a study.

    Parameters
    ----------
    source : path or mapping, optional
        A study file or its content; the shipped study "AI talent" where absent.
    progress : bool
        Say on stderr what is being done.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        For a file that cannot be read or names what it does not define; errors of the data pass through.

    Examples
    --------
    >>> import wagegap as wg
    >>> sections = {"premiums": {"published": {"shipped": "published_premiums", "label": "Bank of Korea"}}}
    >>> report = wg.study({"title": "Six countries", **sections})
    >>> report.title
    'Six countries'
    """
    read = read_study(source)
    hashes = read.hashes()
    with warnings.catch_warnings():
        # These warnings are findings of the report, which names the cells and the reliability.
        for category in (SmallCellWarning, IdentificationWarning, ReliabilityWarning):
            warnings.simplefilter("ignore", category)
        parts = list(_parts(read, progress=progress))
    return Study(
        title=plain(read.content.get("title", "Study")),
        question=plain(read.content.get("question", "")),
        findings=tuple(finding for part in parts for finding in part.findings),
        tables=_together(part.tables for part in parts),
        figures=_together(part.figures for part in parts),
        links={name: item for part in parts for name, item in part.links.items()},
        seed=read.seed,
        hashes=hashes,
        file=read.name,
    )


def _together(parts: Iterable[Mapping[str, _T]]) -> dict[str, _T]:
    """Items of all parts; of names that are one to a disk (`a:b` and `a_b`), the later ones are numbered."""
    every: dict[str, _T] = {}
    taken: set[str] = set()
    for name, item in (pair for part in parts for pair in part.items()):
        free = next(new for new in chain([name], (f"{name}_{i}" for i in count(2))) if same_file(new) not in taken)
        every[free] = item
        taken.add(same_file(free))
    return every


# sections ------------------------------------------------------------------------------------------------------------


def _parts(read: StudyFile, *, progress: bool) -> Iterable[_Part]:
    """Carry out everything in the file, in its order."""
    content, watch = read.content, read.watch
    named: dict[str, dict[str, Any]] = {kind: {} for kind in ("panels", "premiums", "rates", "covariates")}
    for name, options in track(section(content, "panels"), "panels", progress):
        named["panels"][name] = _read(f"[panels.{name}]", {"source_name": name, **options}, read.folder)
    for kind, fit, part in (("premiums", fit_premiums, _premiums_part), ("rates", fit_rates, _rates_part)):
        for name, options in track(section(content, kind), kind, progress):
            named[kind][name] = _estimated(f"[{kind}.{name}]", options, fit, named["panels"])
            yield part(name, plain(options.get("label", name)), named[kind][name], watch)
    for name, options in section(content, "covariates"):
        named["covariates"][name] = _covariates(f"[covariates.{name}]", options, read.folder)
    for options in track(content.get("links", []), "links", progress):
        words = content["rates"][options["rates"]].get("label")
        yield from _link_parts(options, named, read.seed, None if words is None else _in_a_sentence(plain(words)))
    if "caution" in content:
        yield _caution_part(content, named["premiums"])


def _read(where: str, options: Mapping[str, Any], folder: Path) -> Panel:
    """A panel from the file that a section names."""
    panel: Panel = _call(where, read_panel, str(folder / options["path"]), **without(options, "path"))
    return panel


def _covariates(where: str, options: Mapping[str, Any], folder: Path) -> pd.DataFrame:
    if "shipped" not in options:
        return _read(where, options, folder).frame
    result = load_shipped(where, options["shipped"])
    if not isinstance(result, pd.DataFrame):
        raise StudyError(f"{where}: what is shipped under this name is no table of covariates, such as 'income'.")
    return result


def _estimated(where: str, entries: Mapping[str, Any], fit: Callable[..., Any], panels: Mapping[str, Panel]) -> Any:
    """A result: fitted to a panel, to shipped cross-products, or shipped itself, which takes no further entries."""
    options = without(entries, "label", "panel", "shipped")
    if "shipped" not in entries:
        return _call(where, fit, panels[entries["panel"]], **options)
    if "panel" in entries:
        options["panel"] = entries["panel"]
    result = load_shipped(where, entries["shipped"])
    if isinstance(result, CrossProducts):
        return _call(where, fit_premiums, result, **options)
    if not isinstance(result, Estimates):
        raise StudyError(f"{where}: what is shipped under this name is a table of covariates, not estimates.")
    if options:
        raise StudyError(f"{where} has entries that shipped estimates do not take: {listing(options)}.")
    return result


# parts of the report -------------------------------------------------------------------------------------------------


def _premiums_part(name: str, label: str, result: Any, watch: list[str]) -> _Part:
    parts = _by_term(_estimates(result), label)
    findings = [Finding(about, _premiums_in_words(part, watch)) for about, part in parts]
    key = _country_key(_estimates(result))
    if isinstance(result, Premiums) and key is not None and key in result.absent:
        wanted = result.absent[result.absent[key].isin(watch)].sort_values(
            key, key=lambda column: column.map({iso3: i for i, iso3 in enumerate(watch)}), kind="stable"
        )
        keys = [name for name in _estimates(result).by if name != key]
        findings += [
            Finding(label, _absence({str(name): value for name, value in row.items()}, key, keys), "absent")
            for row in wanted.to_dict("records")
        ]
    return _shown(f"premiums_{name}", label, result, findings, watch)


def _rates_part(name: str, label: str, result: Any, watch: list[str]) -> _Part:
    estimates = _estimates(result)
    findings = []
    for about, part in _by_term(estimates, label):
        findings.append(Finding(about, _rates_in_words(part, watch)))
    return _shown(f"rates_{name}", label, result, findings, watch)


def _shown(name: str, label: str, result: Any, findings: list[Finding], watch: list[str]) -> _Part:
    """Findings, with a table and a forest plot of each term."""
    figures, parts = {}, _by_term(_estimates(result), label)
    for title, part in parts:
        key = name if len(parts) == 1 else f"{name}_{_file_name(part.labels['term'].iloc[0])}"
        figure = figure_of(add_title(plot_forest(part, keep=watch), title))
        errors = "without intervals, as errors are unknown" if part.bse.isna().all() else "with 95 % intervals"
        by = listing("country" if key == "iso3" else spaced(key) for key in part.by) or "estimate"
        figures[key] = (figure, f"{title}: estimates by {by} {errors}, largest first.")
    return _Part(findings, {name: table(result, title=label, layout="long")}, figures)


def _by_term(estimates: Estimates, label: str) -> list[tuple[str, Estimates]]:
    """Estimates of each term, called by it where there are several."""
    terms = list(dict.fromkeys(estimates.labels["term"].astype(str)))
    if len(terms) == 1:
        return [(label, estimates)]
    return [(f"{label}: {term}", estimates.select(term=term)) for term in terms]


def _file_name(term: object) -> str:
    """A term as part of the name of a file.

    >>> _file_name("field[T.law]:ai"), _file_name("net_migration")
    ('field_T.law_ai', 'net_migration')
    """
    return re.sub(r"[^\w.-]+", "_", str(term)).strip("_.")[:_LONGEST_TERM].strip("_.")


def _absence(row: Mapping[str, Any], country: str, keys: Sequence[str]) -> str:
    """Which premium a country lacks, and why."""
    where = " ".join([country_name(row[country]), *(str(row[key]) for key in keys)])
    term = row.get("term")
    said = f"{where} is absent" if not isinstance(term, str) else f"{where} has no premium of {term}"
    return f"{said}: {row['n_treated']} holders among {row['n']} ({row['reason']})."


def _in_a_sentence(label: str) -> str:
    """A label as it stands within a sentence: without its capital, but for words that have several.

    >>> _in_a_sentence("Net migration"), _in_a_sentence("STEM graduates")
    ('net migration', 'STEM graduates')
    """
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def _link_parts(
    entries: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]], seed: int, words: str | None
) -> Iterable[_Part]:
    """A link, and the same without the cross block or without some countries, where the file asks for these.

    `words` are the label of its rates, by which sentences call the outcome where the link has no labels of its own.
    """
    name, label = entries["name"], spaced(entries["name"])
    rates, premiums = (_estimates(named[kind][entries[kind]]) for kind in ("rates", "premiums"))
    if "max_std_error" in entries:
        premiums = premiums.select(~(premiums.bse.to_numpy() >= float(entries["max_std_error"])))
    data = named["covariates"][entries["covariates"]] if "covariates" in entries else None
    outcome = entries["formula"].partition("~")[0].strip()
    labels = {} if words is None else {"labels": {outcome: words}}
    options = {"data": data, "rng": seed, **labels, **without(entries, *LINK_TAKES)}
    fit = functools.partial(_link_part, formula=entries["formula"], rates=rates, options=options)
    part = fit(name, f"Link, {label}", premiums=premiums)
    yield part
    if entries.get("sensitivity"):
        yield _sensitivity_part(name, f"Link, {label}: errors assumed", part.links[name])
    if entries.get("without_cross_block"):
        yield fit(f"{name}_no_cross", f"Link, {label}, cross block left out", premiums=premiums.without_units())
    left_out = countries("leave_out", entries.get("leave_out", []), f"[[links]] {name!r}")
    if left_out:
        yield from _without_countries(f"Link, {label}", left_out, premiums, functools.partial(fit, f"{name}_without"))


def _without_countries(
    label: str, left_out: Sequence[str], premiums: Estimates, fit: Callable[..., _Part]
) -> Iterable[_Part]:
    """A link without some countries; one that has no premium to leave out is a finding."""
    key = _country_key(premiums)
    if key is None:
        raise StudyError(f"{label}: leave_out names countries, and its premiums are by {listing(premiums.by)}.")
    there = set(premiums.labels[key])
    lost = [iso3 for iso3 in dict.fromkeys(left_out) if iso3 not in there]
    if lost:
        said = f"{listing(map(country_name, lost))} cannot be left out: no premium among {len(there)} is theirs."
        yield _Part([Finding(label, said, "absent")])
    names = [country_name(iso3) for iso3 in dict.fromkeys(left_out) if iso3 in there]
    if names:
        kept = premiums.select(~premiums.labels[key].isin(left_out).to_numpy())
        yield fit(f"{label}, without {listing(names)}", premiums=kept)


def _country_key(estimates: Estimates) -> str | None:
    """The cell key that holds countries, whatever its name; None where none does."""
    keys = [key for key in estimates.by if hold_countries(estimates.labels[[key]])]
    return str(keys[0]) if keys else None


def _link_part(
    name: str, label: str, *, formula: str, rates: Estimates, premiums: Estimates, options: Mapping[str, Any]
) -> _Part:
    where, title = f"[[links]] {name!r}", label
    try:
        link: Link = _call(where, fit_link, formula, rates, premiums, **options)
        finding = Finding(label, " ".join(link.always_printed()))
        shown = {link.naive().method: link.naive(), **{part.method: part for part in (link.beside, link) if part}}
        if not link.settled:
            shown = {"ols": link.naive(), **{part.method: part for part in link.parts}, link.rule: link}
    except ReliabilityError as error:
        link = _call(where, fit_link, formula, rates, premiums, **{**options, "method": "ols"})
        finding = Finding(label, f"No corrected interval is given: {error}", "refused")
        shown, title = {link.method: link}, f"{label}: naive fit, correction refused"
    columns = {_COLUMNS.get(name, name): one for name, one in shown.items()}
    known = link.cells.premiums_known and link.cells.known(0)
    cells = _counted(link.cells.n, list(link.cells.keys.columns))
    alt = f"{title}: rates against premiums{' with 95 % error ellipses' if known else ''}, line and band; {cells}."
    figures = {f"link_{name}": (figure_of(add_title(plot_link(link), title)), alt)}
    return _Part([finding], {f"link_{name}": table(columns, title=title)}, figures, {name: link})


def _sensitivity_part(name: str, label: str, link: Link) -> _Part:
    """What errors that are assumed would make of a link's slope."""
    answer: Sensitivity = _call(f"[[links]] {name!r}: sensitivity", sensitivity, link)
    alt = f"{label}: slope and interval against the assumed standard error of a premium, with bounds."
    figures = {f"link_{name}_sensitivity": (figure_of(add_title(answer.plot(), label)), alt)}
    return _Part([Finding(label, answer.in_words())], {}, figures)


def _caution_part(content: Mapping[str, Any], premiums: Mapping[str, Any]) -> _Part:
    options = content["caution"]
    name = options["premiums"]
    estimates = _estimates(premiums[name])
    flows = load_shipped("[caution]", options["flows"])
    if not isinstance(flows, pd.DataFrame) or "year" not in flows:
        raise StudyError("[caution]: flows must be yearly, such as 'talent_migration_by_year:ai'.")
    caution = _call(
        "[caution]", examine, estimates, flows, year=options["year"], without=options["without"],
        label=plain(content["premiums"][name].get("label", name)),
    )  # fmt: skip
    rows = caution.table.assign(term="r " + caution.table["year"], estimate=caution.table["r"])
    title = f"{caution.label} against {caution.outcome}, year by year"
    shown = table(rows[["term", "estimate", "p_value"]], title=title, layout="long")
    return _Part([Finding("Caution", caution.in_words(), "caution")], {"caution": shown})


def _estimates(result: Any) -> Estimates:
    estimates: Estimates = result.estimates if isinstance(result, Result) else result
    return estimates


# findings in words ---------------------------------------------------------------------------------------------------


def _premiums_in_words(estimates: Estimates, watch: list[str]) -> str:
    """Mean and spread by random effects, and the countries watched."""
    scale, cells = level_of(estimates.unit), _counted(len(estimates.values), estimates.by)
    watched, numbers = _watched(estimates, watch, scale)
    unknown = int(estimates.bse.isna().sum())
    if unknown:
        of = "" if unknown == len(estimates.values) else f" of {unknown}"
        return say(f"{{cells}}, standard errors{of} unknown{watched}.", cells=cells, **numbers)
    if len(estimates.values) < 2:
        return say(f"{{cells}}: {{mean}}{watched}.", cells=cells, mean=scale.level(estimates.values[0]), **numbers)
    pooled = fit_link(f"{estimates.labels['term'].iloc[0]} ~ 1", estimates, None, method="meta")
    return say(
        "{cells}, mean {mean} ({error}); true premiums differ by a standard deviation of {tau}, against "
        f"a median standard error of {{typical}}{watched}.",
        cells=cells, mean=scale.level(pooled.params.iloc[0]), error=scale.size(pooled.bse.iloc[0]),
        tau=scale.size(np.sqrt(pooled.tau2 or 0.0)), typical=scale.size(estimates.bse.median()), **numbers,
    )  # fmt: skip


def _rates_in_words(estimates: Estimates, watch: list[str]) -> str:
    """How many rates there are, from the lowest to the highest, and the countries watched."""
    values = estimates.values
    scale = level_of(estimates.unit, observed=values)
    watched, numbers = _watched(estimates, watch, scale)
    ends = scale.interval(values.min(), values.max(), levels=True, bare=False)
    return say(f"{{n}} rates from {{ends}}{watched}.", n=len(values), ends=ends, **numbers)


def _counted(n: int, keys: Sequence[str]) -> str:
    """How many cells there are, by what tells them apart.

    >>> _counted(6, ["iso3"]), _counted(12, ["field", "year"])
    ('6 countries', '12 cells by field and year')
    """
    if list(keys) == ["iso3"]:
        return f"{n} {'country' if n == 1 else 'countries'}"
    by = " and ".join("country" if key == "iso3" else spaced(key) for key in keys)
    return f"{n} {'cell' if n == 1 else 'cells'}{f' by {by}' if by else ''}"


def _watched(estimates: Estimates, watch: list[str], scale: Scale) -> tuple[str, dict[str, Quantity | str]]:
    """Values of the countries watched, as the end of a template, and its fields."""
    key = _country_key(estimates) if watch else None
    if key is None:
        return "", {}
    rows = [i for iso3 in watch for i in np.flatnonzero(estimates.labels[key] == iso3).tolist()]
    stated, numbers = [], dict[str, Quantity | str]()
    for i in rows:
        stated.append(f"{{country_{i}}} {{value_{i}}} ({{error_{i}}})")
        error = float(estimates.bse.iloc[i])
        numbers[f"country_{i}"] = country_name(estimates.labels[key].iloc[i])
        numbers[f"value_{i}"] = scale.level(estimates.values[i])
        numbers[f"error_{i}"] = "error unknown" if np.isnan(error) else scale.size(error)
    return f"; {', '.join(stated) or 'the countries watched are not among them'}", numbers


# calls of sections ---------------------------------------------------------------------------------------------------


def _call(where: str, function: Callable[..., Any], *given: Any, **entries: Any) -> Any:
    """Call a function with the entries of a section; what is wrong is said with the section's name."""
    check_call(where, function, len(given), entries)
    try:
        return function(*given, **entries)
    except ReliabilityError:
        raise  # a finding, not a slip
    except WagegapError as error:
        raise type(error)(f"{where}: {error}") from error

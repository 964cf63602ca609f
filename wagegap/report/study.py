"""A study: sources, premiums, rates and links in a small TOML file, carried out and written as one report.

Nothing is hidden: a link that is refused for low reliability, a country that is too small, cells that do not match are
findings like any other.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
import tomllib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd

from wagegap import datasets
from wagegap._arguments import public
from wagegap._display.axes import figure_of
from wagegap._display.numbers import format_number, spaced
from wagegap._progress import track
from wagegap.errors import (
    IdentificationWarning,
    ReliabilityError,
    ReliabilityWarning,
    SmallCellWarning,
    StudyError,
    WagegapError,
    check_known,
    did_you_mean,
    listing,
)
from wagegap.estimation.cross_products import CrossProducts
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.estimation.units import unit_in_heading
from wagegap.panel.countries import country_name, normalise_countries
from wagegap.panel.load import read_panel
from wagegap.panel.panel import Panel
from wagegap.regression.link.fit import fit_link
from wagegap.regression.link.result import Link
from wagegap.regression.premiums.premium import Premiums, fit_premiums
from wagegap.regression.rates.mobility import fit_rates
from wagegap.report.caution import examine
from wagegap.report.figures import add_title, plot_forest, plot_link
from wagegap.report.page import Finding, Study
from wagegap.report.table import Table, table

__all__ = ["read_study", "study"]

_VERSIONS = ("0.3", "0.4", "0.5", "0.6")
"""Versions of this package whose studies it reads; a study that names none is read like one of the first."""

_SECTIONS = (
    "version", "title", "question", "watch", "seed", "panels", "premiums", "rates", "covariates", "links", "caution",
)  # fmt: skip
_LINK_NEEDS = ("name", "rates", "premiums", "formula")
_LINK_TAKES = (*_LINK_NEEDS, "covariates", "max_std_error", "leave_out", "without_cross_block")
_FIT_TAKES = ("method", "cluster", "tau2", "test", "force")
_CAUTION_NEEDS = ("premiums", "flows", "year", "without")

_stem = functools.cache(datasets.stem_graduates)
"""One object for premiums and rates, so that their covariance is kept."""


def _stem_graduates(term: str = "") -> Estimates:
    return _stem().select(term=term) if term else _stem()


_SHIPPED: dict[str, Callable[..., Any]] = {
    "developer_pay": datasets.developer_pay,
    "country_premiums": datasets.country_premiums,
    "published_premiums": datasets.published_premiums,
    "stem_graduates": _stem_graduates,
    "talent_migration": datasets.talent_migration,
    "talent_migration_by_year": datasets.talent_migration_by_year,
    "income": datasets.income,
}


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What a section adds to the report."""

    findings: list[Finding] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    figures: dict[str, tuple[Any, str]] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)


@public
def study(
    source: Annotated[str | Path | Mapping[str, Any], "the path of a TOML file, or its content"] | None = None,
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
    """
    content, folder, name = read_study(source)
    seed, watch = _whole("seed", content.get("seed", 0)), _watch(content.get("watch", []))
    digest = hashlib.sha256(repr(sorted(content.items(), key=lambda item: item[0])).encode()).hexdigest()
    with warnings.catch_warnings():
        # These warnings are findings of the report, which names the cells and the reliability.
        for category in (SmallCellWarning, IdentificationWarning, ReliabilityWarning):
            warnings.simplefilter("ignore", category)
        parts = list(_parts(content, folder, seed, watch, progress=progress))
    return Study(
        title=str(content.get("title", "Study")),
        question=str(content.get("question", "")),
        findings=tuple(finding for part in parts for finding in part.findings),
        tables={name: item for part in parts for name, item in part.tables.items()},
        figures={name: item for part in parts for name, item in part.figures.items()},
        links={name: item for part in parts for name, item in part.links.items()},
        seed=seed,
        hashes={name: digest, **_hashes(content, folder)},
    )


def read_study(source: str | Path | Mapping[str, Any] | None) -> tuple[dict[str, Any], Path, str]:
    """Return the content of a study, the folder its paths start from, and its name."""
    if source is None:
        shipped = files("wagegap.report").joinpath("studies", "ai_talent.toml")
        content, folder, name = tomllib.loads(shipped.read_text(encoding="utf-8")), Path(), shipped.name
    elif isinstance(source, Mapping):
        content, folder, name = dict(source), Path(), "study"
    else:
        content, folder, name = _read_file(Path(source)), Path(source).parent, Path(source).name
    _check_entries("the study", content, _SECTIONS)
    version = str(content.get("version", _VERSIONS[0]))
    if version not in _VERSIONS:
        raise StudyError(
            f"the study says version = {version!r}; this version of wagegap reads studies of {listing(_VERSIONS)}. "
            f"Write version = {_VERSIONS[-1]!r} and run it again: what it does not know, it names."
        )
    if not content.get("premiums") and not content.get("rates"):
        raise StudyError("the study defines neither [premiums.NAME] nor [rates.NAME]: there is nothing to do.")
    return content, folder, name


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        hint = did_you_mean(path, path.parent.glob("*.toml"))
        raise StudyError(f"cannot read the study {path}: {error.strerror}.{hint}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} is not a TOML file: {error}.") from error


def _hashes(content: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """SHA-256 of the files that sections name, by name."""
    sections = (options for kind in ("panels", "covariates") for _, options in _section(content, kind))
    paths = [folder / str(options["path"]) for options in sections if "path" in options]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()}


# sections ------------------------------------------------------------------------------------------------------------


def _parts(content: Mapping[str, Any], folder: Path, seed: int, watch: list[str], *, progress: bool) -> Iterable[_Part]:
    """Carry out everything in the file, in its order."""
    named: dict[str, dict[str, Any]] = {kind: {} for kind in ("panels", "premiums", "rates", "covariates")}
    for name, options in track(_section(content, "panels"), "panels", progress):
        named["panels"][name] = _read(f"[panels.{name}]", {"source_name": name, **options}, folder)
    for kind, fit, part in (("premiums", fit_premiums, _premiums_part), ("rates", fit_rates, _rates_part)):
        for name, options in track(_section(content, kind), kind, progress):
            named[kind][name] = _estimated(f"[{kind}.{name}]", options, fit, named["panels"])
            yield part(name, str(options.get("label", name)), named[kind][name], watch)
    for name, options in _section(content, "covariates"):
        named["covariates"][name] = _covariates(f"[covariates.{name}]", options, folder)
    links = content.get("links", [])
    if not isinstance(links, list) or not all(isinstance(options, Mapping) for options in links):
        raise StudyError("links must be tables, each headed [[links]].")
    for options in track(links, "links", progress):
        yield from _link_parts(options, named, seed)
    if "caution" in content:
        yield _caution_part(content, named["premiums"])


def _section(content: Mapping[str, Any], name: str) -> list[tuple[str, Mapping[str, Any]]]:
    tables = content.get(name, {})
    if not isinstance(tables, Mapping) or not all(isinstance(value, Mapping) for value in tables.values()):
        raise StudyError(f"[{name}] must hold tables such as [{name}.NAME].")
    return list(tables.items())


def _read(where: str, options: Mapping[str, Any], folder: Path) -> Panel:
    """A panel from the file that a section names."""
    if "path" not in options:
        raise StudyError(f'{where} needs path = "FILE" (or shipped = "NAME", of {listing(_SHIPPED)}).')
    panel: Panel = _call(where, read_panel, folder / str(options["path"]), **_without(options, "path"))
    return panel


def _covariates(where: str, options: Mapping[str, Any], folder: Path) -> pd.DataFrame:
    if "shipped" not in options:
        return _read(where, options, folder).frame
    result = _shipped(where, str(options["shipped"]))
    if not isinstance(result, pd.DataFrame):
        raise StudyError(f"{where}: what is shipped under this name is no table of covariates, such as 'income'.")
    return result


def _estimated(where: str, entries: Mapping[str, Any], fit: Callable[..., Any], panels: Mapping[str, Panel]) -> Any:
    """A result: fitted to a panel, to shipped cross-products, or shipped itself, which takes no further entries."""
    options = _without(entries, "label", "panel", "shipped")
    if "shipped" not in entries:
        return _call(where, fit, _defined(f"{where}: panel", panels, entries.get("panel", "")), **options)
    if "panel" in entries:
        options["panel"] = entries["panel"]
    result = _shipped(where, str(entries["shipped"]))
    if isinstance(result, CrossProducts):
        return _call(where, fit_premiums, result, **options)
    if not isinstance(result, Estimates):
        raise StudyError(f"{where}: what is shipped under this name is a table of covariates, not estimates.")
    if options:
        raise StudyError(f"{where} has entries that shipped estimates do not take: {listing(options)}.")
    return result


def _shipped(where: str, spec: str) -> Any:
    kind, _, argument = spec.partition(":")
    check_known([kind], _SHIPPED, lambda name, hint: StudyError(f"{where}: nothing shipped is called {name!r}.{hint}"))
    takes = list(inspect.signature(_SHIPPED[kind]).parameters.values())
    if argument and not takes:
        raise StudyError(f"{where}: shipped = {spec!r} says too much; write shipped = {kind!r}.")
    if not argument and takes and takes[0].default is inspect.Parameter.empty:
        raise StudyError(f"{where}: shipped = {spec!r} must say which {takes[0].name}: '{kind}:NAME'.")
    return _call(where, _SHIPPED[kind], *([argument] if argument else []))


# parts of the report -------------------------------------------------------------------------------------------------


def _premiums_part(name: str, label: str, result: Any, watch: list[str]) -> _Part:
    parts = _by_term(_estimates(result), label)
    findings = [Finding(about, _premiums_in_words(part, watch)) for about, part in parts]
    if isinstance(result, Premiums) and "iso3" in result.absent:
        wanted = result.absent[result.absent["iso3"].isin(watch)].sort_values(
            "iso3", key=lambda column: column.map({iso3: i for i, iso3 in enumerate(watch)}), kind="stable"
        )
        keys = [name for name in _estimates(result).by if name != "iso3"]
        findings += [
            Finding(label, _absence({str(name): value for name, value in row.items()}, keys), "absent")
            for row in wanted.to_dict("records")
        ]
    return _shown(f"premiums_{name}", label, result, findings, watch)


def _rates_part(name: str, label: str, result: Any, watch: list[str]) -> _Part:
    estimates = _estimates(result)
    findings = []
    for about, part in _by_term(estimates, label):
        low, high = (format_number(float(end)) for end in (part.values.min(), part.values.max()))
        text = f"{len(part.values)} rates from {low} to {high}{unit_in_heading(part.unit)}{_watched(part, watch)}."
        findings.append(Finding(about, text))
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
    return re.sub(r"[^\w.-]+", "_", str(term)).strip("_")


def _absence(row: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Which premium a country lacks, and why."""
    where = " ".join([country_name(row["iso3"]), *(str(row[key]) for key in keys)])
    term = row.get("term")
    said = f"{where} is absent" if not isinstance(term, str) else f"{where} has no premium of {term}"
    return f"{said}: {row['n_treated']} holders among {row['n']} ({row['reason']})."


def _link_parts(entries: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]], seed: int) -> Iterable[_Part]:
    """A link, and the same without the cross block or without some countries, where the file asks for these."""
    _check_entries("[[links]]", entries, (*_LINK_TAKES, *_FIT_TAKES))
    name, label = str(entries.get("name", "")), spaced(entries.get("name", ""))
    _check_entries(f"[[links]] {name!r}", entries, entries, _LINK_NEEDS)
    rates = _estimates(_defined("rates", named["rates"], entries["rates"]))
    premiums = _estimates(_defined("premiums", named["premiums"], entries["premiums"]))
    if "max_std_error" in entries:
        premiums = premiums.select(~(premiums.bse.to_numpy() >= float(entries["max_std_error"])))
    data = _defined("covariates", named["covariates"], entries["covariates"]) if "covariates" in entries else None
    options = {"data": data, "rng": seed, **_without(entries, *_LINK_TAKES)}
    fit = functools.partial(_link_part, formula=str(entries["formula"]), rates=rates, options=options)
    yield fit(name, f"Link, {label}", premiums=premiums)
    if entries.get("without_cross_block"):
        yield fit(f"{name}_no_cross", f"Link, {label}, cross block left out", premiums=premiums.without_units())
    left_out = [str(iso3) for iso3 in entries.get("leave_out", [])]
    if left_out:
        kept = premiums.select(~premiums.labels["iso3"].isin(left_out).to_numpy())
        countries = listing(country_name(iso3) for iso3 in left_out)
        yield fit(f"{name}_without", f"Link, {label}, without {countries}", premiums=kept)


def _link_part(
    name: str, label: str, *, formula: str, rates: Estimates, premiums: Estimates, options: Mapping[str, Any]
) -> _Part:
    where, title = f"[[links]] {name!r}", label
    try:
        link: Link = _call(where, fit_link, formula, rates, premiums, **options)
        finding = Finding(label, " ".join(link.always_printed()))
        shown = [link] if link.naive() is link else [link.naive(), *([link.beside] if link.beside else []), link]
    except ReliabilityError as error:
        link = _call(where, fit_link, formula, rates, premiums, **{**options, "method": "ols"})
        finding = Finding(label, f"No corrected interval is given: {error}", "refused")
        shown, title = [link], f"{label}: naive fit, correction refused"
    columns = {"naive" if one.method == "ols" else one.method: one for one in shown}
    known = link.cells.premiums_known and link.cells.known(0)
    cells = _counted(link.cells.n, list(link.cells.keys.columns))
    alt = f"{title}: rates against premiums{' with 95 % error ellipses' if known else ''}, line and band; {cells}."
    figures = {f"link_{name}": (figure_of(add_title(plot_link(link), title)), alt)}
    return _Part([finding], {f"link_{name}": table(columns, title=title)}, figures, {name: link})


def _caution_part(content: Mapping[str, Any], premiums: Mapping[str, Any]) -> _Part:
    options = content["caution"]
    if not isinstance(options, Mapping):
        raise StudyError(f"[caution] must be a table with {listing(_CAUTION_NEEDS)}.")
    _check_entries("[caution]", options, _CAUTION_NEEDS, _CAUTION_NEEDS)
    name = options["premiums"]
    estimates = _estimates(_defined("premiums", premiums, name))
    flows = _shipped("[caution]", str(options["flows"]))
    if not isinstance(flows, pd.DataFrame) or "year" not in flows:
        raise StudyError("[caution]: flows must be yearly, such as 'talent_migration_by_year:ai'.")
    caution = _call(
        "[caution]", examine, estimates, flows, year=_whole("[caution] year", options["year"]),
        without=str(options["without"]), label=str(content["premiums"][name].get("label", name)),
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
    cells, watched = _counted(len(estimates.values), estimates.by), _watched(estimates, watch)
    unknown = int(estimates.bse.isna().sum())
    if unknown:
        of = "" if unknown == len(estimates.values) else f" of {unknown}"
        unit = "" if estimates.unit == "none" else f" in {estimates.unit}"
        return f"{cells}{unit}, standard errors{of} unknown{watched}."
    if len(estimates.values) < 2:
        return f"{cells}: {format_number(float(estimates.values[0]))}{_unit(estimates)}{watched}."
    pooled = fit_link(f"{estimates.labels['term'].iloc[0]} ~ 1", estimates, None, method="meta")
    figures = (pooled.params.iloc[0], pooled.bse.iloc[0], np.sqrt(pooled.tau2 or 0.0), estimates.bse.median())
    mean, error, tau, typical = (format_number(float(figure)) for figure in figures)
    return (
        f"{cells}, mean {mean} ({error}){_unit(estimates)}; true premiums differ by a standard deviation of "
        f"{tau}, against a median standard error of {typical}{watched}."
    )


def _counted(n: int, keys: Sequence[str]) -> str:
    """How many cells there are, by what tells them apart.

    >>> _counted(6, ["iso3"]), _counted(12, ["field", "year"])
    ('6 countries', '12 cells by field and year')
    """
    if list(keys) == ["iso3"]:
        return f"{n} {'country' if n == 1 else 'countries'}"
    by = " and ".join("country" if key == "iso3" else spaced(key) for key in keys)
    return f"{n} {'cell' if n == 1 else 'cells'}{f' by {by}' if by else ''}"


def _unit(estimates: Estimates) -> str:
    """The unit as it follows a number."""
    return "" if estimates.unit == "none" else f" {estimates.unit}"


def _watched(estimates: Estimates, watch: list[str]) -> str:
    """Values of the countries watched, as the end of a sentence."""
    if not watch or "iso3" not in estimates.labels:
        return ""
    errors = ["error unknown" if np.isnan(error) else format_number(error) for error in estimates.bse]
    stated = [
        f"{country_name(iso3)} {format_number(float(estimates.values[i]))} ({errors[i]})"
        for iso3 in watch
        for i in np.flatnonzero(estimates.labels["iso3"] == iso3)
    ]
    return f"; {', '.join(stated) or 'the countries watched are not among them'}"


# what is wrong with a file -------------------------------------------------------------------------------------------


def _check_entries(where: str, entries: Iterable[str], known: Iterable[str], needed: Iterable[str] = ()) -> None:
    """Raise `StudyError` for an entry that is not known, or a needed one that is not there."""
    check_known(entries, known, lambda name, hint: StudyError(f"{where} has an unknown entry {name!r}.{hint}"))
    check_known(needed, entries, lambda name, _: StudyError(f"{where} lacks {name!r}."))


def _call(where: str, function: Callable[..., Any], *given: Any, **entries: Any) -> Any:
    """Call a function with the entries of a section; what is wrong is said with the section's name."""
    parameters = inspect.signature(function).parameters
    needed = [name for name, value in list(parameters.items())[len(given) :] if value.default is value.empty]
    _check_entries(where, entries, parameters, needed)
    try:
        return function(*given, **entries)
    except ReliabilityError:
        raise  # a finding, not a slip
    except WagegapError as error:
        raise type(error)(f"{where}: {error}") from error


def _defined(kind: str, known: Mapping[str, Any], name: Any) -> Any:
    there = listing(known)
    check_known([name], known, lambda _, hint: StudyError(f"{kind} {name!r} is not defined.{hint} Defined: {there}."))
    return known[name]


def _without(entries: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in entries.items() if name not in names}


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise StudyError(f"{name} = {value!r} must be a whole number of at least 0.")
    return value


def _watch(value: object) -> list[str]:
    """Codes of the countries that every finding is to mention."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise StudyError(f"watch = {value!r} must be a list of countries, such as ['KOR', 'USA'].")
    return [str(iso3) for iso3 in normalise_countries(pd.Series(list(names), name="watch", dtype=object))]

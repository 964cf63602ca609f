"""A study: sources, premiums, rates and links in a small TOML file, carried out and written as one report.

Nothing is hidden: a link that is refused for low reliability, a country that is too small, cells that do not match are
findings like any other.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wagegap import datasets
from wagegap._display.axes import figure_of
from wagegap._display.numbers import format_number
from wagegap.errors import (
    IdentificationWarning,
    ReliabilityError,
    ReliabilityWarning,
    SmallCellWarning,
    StudyError,
    WagegapError,
    did_you_mean,
    listing,
    public,
)
from wagegap.estimation.cross_products import CrossProducts
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.panel.countries import country_name, normalise_countries
from wagegap.panel.load import read_panel
from wagegap.panel.panel import Panel
from wagegap.regression.link.fit import fit_link
from wagegap.regression.link.result import Link
from wagegap.regression.premiums.premium import Premiums, fit_premiums
from wagegap.regression.rates.mobility import fit_rates
from wagegap.report.caution import Caution, examine
from wagegap.report.figures import add_title, plot_forest, plot_link
from wagegap.report.table import Table, table

__all__ = ["Finding", "Study", "read_study", "study"]

_SECTIONS = ("title", "question", "watch", "seed", "panels", "premiums", "rates", "covariates", "links", "caution")
_LINK_KEYS = (
    "name", "rates", "premiums", "formula", "covariates", "method", "max_std_error", "leave_out", "without_cross_block",
    "cluster", "tau2", "test", "force",
)  # fmt: skip
_SHIPPED: dict[str, Callable[..., Any]] = {
    "developer_pay": datasets.developer_pay,
    "country_premiums": datasets.country_premiums,
    "published_premiums": datasets.published_premiums,
    "stem_graduates": datasets.stem_graduates,
    "talent_migration": datasets.talent_migration,
    "talent_migration_by_year": datasets.talent_migration_by_year,
    "income": datasets.income,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, in words.

    Attributes
    ----------
    about : str
        Premiums, rates or link it is about.
    text : str
        What was found, with its uncertainty.
    kind : {"finding", "refused", "absent", "caution"}
        What sort of finding it is.
    """

    about: str
    text: str
    kind: str = "finding"


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A study carried out.

    Attributes
    ----------
    title, question : str
        From its file.
    findings : tuple of Finding
        In the order of the file.
    tables : mapping of str to Table
        By name.
    figures : mapping of str to (Figure, str)
        Figure and what it shows, by name.
    links : mapping of str to Link
        Fitted links, by name; refused ones are in the findings.
    seed : int
        Of random orders.
    hashes : mapping of str to str
        SHA-256 of the data, by name.
    """

    title: str
    question: str
    findings: tuple[Finding, ...]
    tables: Mapping[str, Table]
    figures: Mapping[str, tuple[Any, str]]
    links: Mapping[str, Link]
    seed: int
    hashes: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the findings as text."""
        lines = [self.title, "=" * min(len(self.title), 80), self.question, ""]
        lines += [f"{finding.about}: {finding.text}" for finding in self.findings]
        return "\n".join(lines)

    def save(self, folder: str | Path = "wagegap-report") -> Path:
        """Write report.html, figures, tables and provenance.json into a folder, whole or not at all."""
        from wagegap.report.page import save_study

        return save_study(self, Path(folder))


@public
def study(source: str | Path | Mapping[str, Any] | None = None, *, progress: bool = False) -> Study:
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
    content, base, name = read_study(source)
    run = _Run(content, base, progress)
    run.hashes[name] = hashlib.sha256(repr(sorted(content.items(), key=lambda i: i[0])).encode()).hexdigest()
    with warnings.catch_warnings():
        # These warnings are findings of the report, which names the cells and the reliability.
        for category in (SmallCellWarning, IdentificationWarning, ReliabilityWarning):
            warnings.simplefilter("ignore", category)
        run.all()
    return Study(
        str(content.get("title", "Study")), str(content.get("question", "")), tuple(run.findings), run.tables,
        run.figures, run.links, run.seed, run.hashes,
    )  # fmt: skip


def read_study(source: str | Path | Mapping[str, Any] | None) -> tuple[dict[str, Any], Path, str]:
    """Return the content of a study, the folder its paths start from, and its name."""
    if isinstance(source, Mapping):
        content, base, name = dict(source), Path(), "study"
    elif source is None:
        text = files("wagegap.report").joinpath("studies", "ai_talent.toml").read_text(encoding="utf-8")
        content, base, name = tomllib.loads(text), Path(), "ai_talent.toml"
    elif not isinstance(source, str | Path):
        raise StudyError(f"a study is a path to a TOML file, or its content, not {type(source).__name__}.")
    else:
        path = Path(source)
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            near = [str(p) for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
            raise StudyError(f"cannot read the study {path}: {error.strerror}.{did_you_mean(path, near)}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise StudyError(f"{path} is not a TOML file: {error}.") from error
        base, name = path.parent, path.name
    unknown = [key for key in content if key not in _SECTIONS]
    if unknown:
        raise StudyError(f"the study has an unknown entry {unknown[0]!r}.{did_you_mean(unknown[0], _SECTIONS)}")
    if not content.get("premiums") and not content.get("rates"):
        raise StudyError("the study defines neither [premiums.NAME] nor [rates.NAME]: there is nothing to do.")
    return content, base, name


class _Run:
    """Carries out one study: what is made on the way, by name."""

    def __init__(self, content: Mapping[str, Any], base: Path, progress: bool) -> None:
        self.content, self.base, self.progress = content, base, progress
        self.seed = _whole("seed", content.get("seed", 0))
        self.watch = _watch(content.get("watch", []))
        self.findings: list[Finding] = []
        self.tables: dict[str, Table] = {}
        self.figures: dict[str, tuple[Any, str]] = {}
        self.links: dict[str, Link] = {}
        self.hashes: dict[str, str] = {}
        self.panels: dict[str, Panel] = {}
        self.premiums: dict[str, Any] = {}
        self.rates: dict[str, Any] = {}
        self.covariates: dict[str, pd.DataFrame] = {}

    def all(self) -> None:
        """Everything in the file, in its order."""
        for name, options in self._section("panels"):
            self._say(f"reading {name}")
            self.panels[name] = self._panel(name, dict(options))
        for name, options in self._section("premiums"):
            self._say(f"premiums: {name}")
            self._one_premium(name, dict(options))
        for name, options in self._section("rates"):
            self._say(f"rates: {name}")
            self._one_rate(name, dict(options))
        for name, options in self._section("covariates"):
            self.covariates[name] = self._frame(name, dict(options))
        for options in self._links():
            self._say(f"link: {options.get('name', '?')}")
            self._one_link(dict(options))
        if "caution" in self.content:
            self._say("caution")
            self._caution(self.content["caution"])

    def _say(self, text: str) -> None:
        if self.progress:
            print(text, file=sys.stderr, flush=True)

    def _section(self, name: str) -> list[tuple[str, Mapping[str, Any]]]:
        found = self.content.get(name, {})
        if not isinstance(found, Mapping) or not all(isinstance(value, Mapping) for value in found.values()):
            raise StudyError(f"[{name}] must hold tables such as [{name}.NAME].")
        return list(found.items())

    def _links(self) -> list[Mapping[str, Any]]:
        found = self.content.get("links", [])
        if not isinstance(found, list) or not all(isinstance(value, Mapping) for value in found):
            raise StudyError("links must be tables, each headed [[links]].")
        return list(found)

    # sources ---------------------------------------------------------------------------------------------------

    def _panel(self, name: str, options: dict[str, Any]) -> Panel:
        path = self._path(name, options)
        panel: Panel = _call(f"[panels.{name}]", read_panel, path, **{"source_name": name, **options})
        return panel

    def _path(self, name: str, options: dict[str, Any]) -> Path:
        if "path" not in options:
            raise StudyError(f'{name!r} needs path = "FILE" (or shipped = "NAME", of {listing(_SHIPPED)}).')
        path = self.base / str(options.pop("path"))
        if path.is_file():
            self.hashes[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return path

    def _shipped(self, name: str, spec: str) -> Any:
        kind, _, argument = spec.partition(":")
        if kind not in _SHIPPED:
            raise StudyError(f"{name!r}: nothing shipped is called {kind!r}.{did_you_mean(kind, _SHIPPED)}")
        if kind == "stem_graduates":
            whole = self._stem()
            return whole.select(term=argument) if argument else whole
        takes = list(inspect.signature(_SHIPPED[kind]).parameters.values())
        if argument and not takes:
            raise StudyError(f"{name!r}: shipped = {spec!r} says too much; write shipped = {kind!r}.")
        if not argument and takes and takes[0].default is inspect.Parameter.empty:
            raise StudyError(f"{name!r}: shipped = {spec!r} must say which {takes[0].name}: '{kind}:NAME'.")
        return _call(f"{name!r}", _SHIPPED[kind], *([argument] if argument else []))

    def _shipped_estimates(self, where: str, name: str, options: dict[str, Any]) -> Any:
        """Estimates that are shipped, or cross-products, which alone take further entries."""
        made = self._shipped(name, str(options.pop("shipped")))
        if isinstance(made, CrossProducts):
            return _call(where, fit_premiums, made, **options)
        if not isinstance(made, Estimates):
            raise StudyError(f"{where}: what is shipped under this name is a table of covariates, not estimates.")
        if options:
            raise StudyError(f"{where} has entries that shipped estimates do not take: {listing(options)}.")
        return made

    def _stem(self) -> Estimates:
        """One object for premiums and rates, so that their covariance is kept."""
        if "_stem" not in self.premiums:
            self.premiums["_stem"] = datasets.stem_graduates()
        found: Estimates = self.premiums["_stem"]
        return found

    def _frame(self, name: str, options: dict[str, Any]) -> pd.DataFrame:
        where = f"[covariates.{name}]"
        if "shipped" not in options:
            read: Panel = _call(where, read_panel, self._path(name, options), **options)
            return read.frame
        made = self._shipped(name, str(options["shipped"]))
        if not isinstance(made, pd.DataFrame):
            raise StudyError(f"{where}: what is shipped under this name is no table of covariates, such as 'income'.")
        return made

    def _from(self, name: str, options: dict[str, Any]) -> Panel:
        panel = str(options.pop("panel", ""))
        if panel not in self.panels:
            raise StudyError(
                f"{name!r} names the panel {panel!r}, which is not defined.{did_you_mean(panel, self.panels)}"
            )
        return self.panels[panel]

    # stages ----------------------------------------------------------------------------------------------------

    def _one_premium(self, name: str, options: dict[str, Any]) -> None:
        label = str(options.pop("label", name))
        where = f"[premiums.{name}]"
        if "shipped" in options:
            made = self._shipped_estimates(where, name, options)
        else:
            made = _call(where, fit_premiums, self._from(name, options), **options)
        self.premiums[name] = made
        self._tell_premiums(name, label, made)

    def _tell_premiums(self, name: str, label: str, made: Any) -> None:
        estimates = made.estimates if isinstance(made, Result) else made
        self.findings.append(Finding(label, _premiums_in_words(estimates, self.watch)))
        absent = made.absent if isinstance(made, Premiums) else pd.DataFrame()
        for iso3 in self.watch:
            if "iso3" in absent and iso3 in set(absent["iso3"]):
                row = absent.set_index("iso3").loc[iso3]
                holders, n = (int(str(row[column])) for column in ("n_treated", "n"))
                text = f"{country_name(iso3)} is absent: {holders} holders among {n} ({row['reason']})."
                self.findings.append(Finding(label, text, "absent"))
        self._show(f"premiums_{name}", label, made)

    def _one_rate(self, name: str, options: dict[str, Any]) -> None:
        label = str(options.pop("label", name))
        where = f"[rates.{name}]"
        if "shipped" in options:
            made = self._shipped_estimates(where, name, options)
        else:
            made = _call(where, fit_rates, self._from(name, options), **options)
        self.rates[name] = made
        estimates = made.estimates if isinstance(made, Result) else made
        self.findings.append(Finding(label, _rates_in_words(estimates, self.watch)))
        self._show(f"rates_{name}", label, made)

    def _show(self, name: str, label: str, made: Any) -> None:
        self.tables[name] = table(made, title=label, layout="long")
        estimates = made.estimates if isinstance(made, Result) else made
        terms = list(dict.fromkeys(estimates.labels["term"].astype(str)))
        for term in terms:
            key, title = (name, label) if len(terms) == 1 else (f"{name}_{term}", f"{label}: {term}")
            ax = add_title(plot_forest(estimates.select(term=term), keep=self.watch), title)
            alt = f"{title}: estimates by country with 95 % intervals, largest first."
            self.figures[key] = (figure_of(ax), alt)

    # links -----------------------------------------------------------------------------------------------------

    def _one_link(self, options: dict[str, Any]) -> None:
        unknown = [key for key in options if key not in _LINK_KEYS]
        if unknown:
            raise StudyError(f"[[links]] has an unknown entry {unknown[0]!r}.{did_you_mean(unknown[0], _LINK_KEYS)}")
        for key in ("name", "rates", "premiums", "formula"):
            if key not in options:
                raise StudyError(f"[[links]] {options.get('name', '')!r} lacks {key!r}.")
        name = str(options.pop("name"))
        rates = self._named("rates", self.rates, options.pop("rates"))
        premiums = _precise(self._named("premiums", self.premiums, options.pop("premiums")), options)
        covariates = options.pop("covariates", None)
        data = None if covariates is None else self._named("covariates", self.covariates, covariates)
        leave_out = [str(iso3) for iso3 in options.pop("leave_out", [])]
        formula = str(options.pop("formula"))
        cross = bool(options.pop("without_cross_block", False))
        self._fit(name, name.replace("_", " "), formula, rates, premiums, data, options)
        if cross:
            apart = premiums.without_units()
            self._fit(
                f"{name}_no_cross",
                f"{name.replace('_', ' ')}, cross block left out",
                formula,
                rates,
                apart,
                data,
                options,
            )
        if leave_out:
            some = premiums.select(~premiums.labels["iso3"].isin(leave_out).to_numpy())
            words = f"{name.replace('_', ' ')}, without {listing(country_name(c) for c in leave_out)}"
            self._fit(f"{name}_without", words, formula, rates, some, data, options)

    def _fit(
        self, name: str, label: str, formula: str, rates: Any, premiums: Estimates, data: Any, options: dict[str, Any]
    ) -> None:
        where, given = f"[[links]] {name!r}", (formula, rates, premiums)
        try:
            link: Link = _call(where, fit_link, *given, **{"data": data, "rng": self.seed, **options})
        except ReliabilityError as error:
            link = _call(where, fit_link, *given, **{"data": data, "rng": self.seed, **options, "method": "ols"})
            self.findings.append(Finding(f"Link, {label}", f"No corrected interval is given: {error}", "refused"))
            self._keep(name, f"Link, {label}: naive fit, correction refused", [link], link)
            return
        self.findings.append(Finding(f"Link, {label}", " ".join(link.always_printed())))
        shown = [link] if link.naive() is link else [link.naive(), *([link.beside] if link.beside else []), link]
        self._keep(name, f"Link, {label}", shown, link)

    def _keep(self, name: str, label: str, shown: list[Link], link: Link) -> None:
        columns = {{"ols": "naive"}.get(one.method, one.method): one for one in shown}
        self.tables[f"link_{name}"] = table(columns, title=label)
        self.links[name] = link
        ax = add_title(plot_link(link), label)
        alt = (
            f"{label}: rates against premiums with 95 % error ellipses, fitted line and band; {link.cells.n} countries."
        )
        self.figures[f"link_{name}"] = (figure_of(ax), alt)

    def _caution(self, options: Any) -> None:
        wanted = ("premiums", "flows", "year", "without")
        if not isinstance(options, Mapping):
            raise StudyError(f"[caution] must be a table with {listing(wanted)}.")
        odd = [key for key in options if key not in wanted]
        if odd:
            raise StudyError(f"[caution] has an unknown entry {odd[0]!r}.{did_you_mean(odd[0], wanted)}")
        lacking = [key for key in wanted if key not in options]
        if lacking:
            raise StudyError(f"[caution] lacks {lacking[0]!r}.")
        premiums = self._named("premiums", self.premiums, options["premiums"])
        flows = self._shipped("caution", str(options["flows"]))
        if not isinstance(flows, pd.DataFrame) or "year" not in flows:
            raise StudyError("[caution]: flows must be yearly, such as 'talent_migration_by_year:ai'.")
        year, without = _whole("[caution] year", options["year"]), str(options["without"])
        found: Caution = _call("[caution]", examine, premiums, flows, year=year, without=without)
        self.findings.append(Finding("Caution", found.in_words(), "caution"))
        self.tables["caution"] = _caution_table(found)

    def _named(self, kind: str, known: Mapping[str, Any], name: Any) -> Any:
        if not isinstance(name, str) or name not in known:
            raise StudyError(f"{kind} {name!r} is not defined.{did_you_mean(name, known)} Defined: {listing(known)}.")
        found = known[name]
        return found.estimates if isinstance(found, Result) else found


def _caution_table(found: Caution) -> Table:
    frame = found.table.assign(
        term=lambda f: "r " + f["year"], estimate=lambda f: f["r"], p_value=lambda f: f["p_value"]
    )
    return table(
        frame[["term", "estimate", "p_value"]], title="Premiums against net migration, year by year", layout="long"
    )


def _precise(estimates: Estimates, options: dict[str, Any]) -> Estimates:
    limit = options.pop("max_std_error", None)
    if limit is None:
        return estimates
    errors = estimates.bse.to_numpy()
    return estimates.select(~(errors >= float(limit)))


def _premiums_in_words(estimates: Estimates, watch: list[str]) -> str:
    """Mean and spread by random effects, and the countries watched."""
    n = len(estimates.values)
    watched = _watched(estimates, watch)
    if estimates.bse.isna().any():
        return f"{n} countries, standard errors unknown{watched}."
    term = str(estimates.labels["term"].iloc[0])
    pooled = fit_link(f"{term} ~ 1", estimates, None, method="meta")
    mean, error = float(pooled.params.iloc[0]), float(pooled.bse.iloc[0])
    tau = float(np.sqrt(pooled.tau2 or 0.0))
    typical = float(estimates.bse.median())
    return (
        f"{n} countries, mean {format_number(mean)} ({format_number(error)}) {estimates.unit}; true premiums differ by "
        f"a standard deviation of {format_number(tau)}, against a median standard error of {format_number(typical)}"
        f"{watched}."
    )


def _rates_in_words(estimates: Estimates, watch: list[str]) -> str:
    low, high = float(estimates.values.min()), float(estimates.values.max())
    return (
        f"{len(estimates.values)} rates from {format_number(low)} to {format_number(high)} ({estimates.unit})"
        f"{_watched(estimates, watch)}."
    )


def _watched(estimates: Estimates, watch: list[str]) -> str:
    """Values of the countries watched, as the end of a sentence."""
    if not watch or "iso3" not in estimates.labels:
        return ""
    said = []
    for iso3 in watch:
        here = np.flatnonzero((estimates.labels["iso3"] == iso3).to_numpy())
        for i in here:
            error = float(estimates.bse.iloc[i])
            words = "error unknown" if np.isnan(error) else format_number(error)
            said.append(f"{country_name(iso3)} {format_number(float(estimates.values[i]))} ({words})")
    return f"; {', '.join(said) or 'the countries watched are not among them'}"


def _call(where: str, function: Callable[..., Any], *given: Any, **entries: Any) -> Any:
    """Call a function with the entries of a section; what is wrong is said with the section's name."""
    parameters = inspect.signature(function).parameters
    for name in entries:
        if name not in parameters:
            raise StudyError(f"{where} has an unknown entry {name!r}.{did_you_mean(name, parameters)}")
    needed = [name for name, value in parameters.items() if value.default is value.empty]
    lacking = [name for name in needed if name not in entries and name not in list(parameters)[: len(given)]]
    if lacking:
        raise StudyError(f"{where} lacks {lacking[0]!r}.")
    try:
        return function(*given, **entries)
    except ReliabilityError:
        raise  # a finding, not a slip
    except WagegapError as error:
        raise type(error)(f"{where}: {error}") from error


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

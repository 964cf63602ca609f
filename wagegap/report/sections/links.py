"""Links of a study: the slope and what it rests on, without some countries or the cross block, under errors assumed.

A link that is refused is a finding: what was found is said, the naive fit is drawn, and nothing tells a reader how to
force it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from wagegap._display.numbers import spaced
from wagegap._display.spec import plain
from wagegap.errors import ReliabilityError, StudyError, listing
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.units import step_of
from wagegap.panel.countries import country_name
from wagegap.regression.link.fit import fit_link
from wagegap.regression.link.questions.sensitivity import Sensitivity, sensitivity
from wagegap.regression.link.result import Link
from wagegap.report.figures import plot_link
from wagegap.report.findings import Finding, Part, Section
from wagegap.report.kinds import COMMON
from wagegap.report.sections.context import Context, call, estimates_in
from wagegap.report.sections.frames import country_key_of, frame_of
from wagegap.report.sections.pictures import picture_of
from wagegap.report.study_file import LINK_TAKES, countries, without
from wagegap.report.table import table

__all__ = ["link_parts"]

_COLUMNS = {"ols": "naive", "ml": "likelihood"}
"""What columns of a table of a link are called, where not by the method."""


@dataclass(frozen=True, slots=True)
class _Called:
    """What a link is called: among the findings, and as a heading."""

    label: str
    title: str

    def but(self, more: str) -> _Called:
        """The same link otherwise."""
        return _Called(f"{self.label}{more}", f"{self.title}{more}")


def link_parts(entries: Mapping[str, Any], context: Context) -> Iterable[Part]:
    """Carry out a link, and the same otherwise where the file asks for it.

    Sentences call the outcome by the label of its rates, where these are one and the link has no labels of its own.
    """
    name, called, where = entries["name"], _called(entries), f"[[links]] {entries['name']!r}"
    rates, premiums = (estimates_in(context.result(kind, entries[kind], where)) for kind in ("rates", "premiums"))
    if "max_std_error" in entries:
        premiums = premiums.select(~(premiums.bse.to_numpy() >= float(entries["max_std_error"])))
    fit = functools.partial(_link_part, formula=entries["formula"], rates=rates, options=_options(entries, context),
                            watch=context.watch)  # fmt: skip
    part = fit(name, called, premiums=premiums)
    yield part
    if entries.get("sensitivity"):
        yield _sensitivity_part(name, called.but(": errors assumed"), part.links[name])
    if entries.get("without_cross_block"):
        yield fit(f"{name}_no_cross", called.but(", cross block left out"), premiums=premiums.without_units())
    left_out = countries("leave_out", entries.get("leave_out", []), where)
    if left_out:
        yield from _without_countries(called, left_out, premiums, functools.partial(fit, f"{name}_without"))


def _called(entries: Mapping[str, Any]) -> _Called:
    label = plain(entries.get("label", "")) or f"Link, {spaced(entries['name'])}"
    return _Called(label, plain(entries.get("title", "")) or label)


def _options(entries: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """What a link is fitted with, beyond rates and premiums."""
    where = f"[[links]] {entries['name']!r}"
    data = context.result("covariates", entries["covariates"], where) if "covariates" in entries else None
    outcome = entries["formula"].partition("~")[0].strip()
    label = context.entries("rates", entries["rates"]).get("label")
    several = estimates_in(context.result("rates", entries["rates"], where)).labels["term"].nunique() > 1
    labels = {} if label is None or several else {"labels": {outcome: _in_a_sentence(plain(label))}}
    workers = {"workers": context.result("panels", entries["workers"], where)} if "workers" in entries else {}
    return {"data": data, "rng": context.seed, **labels, **without(entries, *LINK_TAKES, *COMMON), **workers}


def _in_a_sentence(label: str) -> str:
    """A label as it stands within a sentence: without its capital, but for words that have several.

    >>> _in_a_sentence("Net migration"), _in_a_sentence("STEM graduates")
    ('net migration', 'STEM graduates')
    """
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def _without_countries(
    called: _Called, left_out: Sequence[str], premiums: Estimates, fit: Callable[..., Part]
) -> Iterable[Part]:
    """A link without some countries; one that has no premium to leave out is a finding."""
    key = country_key_of(premiums)
    if key is None:
        raise StudyError(f"{called.label}: leave_out names countries, and its premiums are by {listing(premiums.by)}.")
    there = set(premiums.labels[key])
    lost = [iso3 for iso3 in dict.fromkeys(left_out) if iso3 not in there]
    if lost:
        said = f"{listing(map(country_name, lost))} cannot be left out: no premium among {len(there)} is theirs."
        yield Part(Section("", "links", called.title, findings=(Finding(called.label, said, "absent"),)))
    names = [country_name(iso3) for iso3 in dict.fromkeys(left_out) if iso3 in there]
    if names:
        kept = premiums.select(~premiums.labels[key].isin(left_out).to_numpy())
        yield fit(called.but(f", without {listing(names)}"), premiums=kept)


def _link_part(
    name: str, called: _Called, *, formula: str, rates: Estimates, premiums: Estimates, options: Mapping[str, Any],
    watch: Sequence[str],
) -> Part:  # fmt: skip
    """Fit a link and say what was found; where it is refused, the naive fit is shown in its place."""
    where, title, refused = f"[[links]] {name!r}", called.title, ""
    try:
        link: Link = call(where, fit_link, formula, rates, premiums, **options)
    except ReliabilityError as error:
        link = call(where, fit_link, formula, rates, premiums, **{**options, "method": "ols"})
        refused, title = f"No corrected interval is given: {error.finding}", f"{title}: naive fit, correction refused"
    shown = {link.method: link} if refused else _estimators(link)
    columns = {_COLUMNS.get(method, method): one for method, one in shown.items()}
    key, said = f"link_{name}", refused or " ".join(link.always_printed())
    section = Section(
        key, "links", called.title, lead=refused or f"{link.slope_in_words()}.",
        findings=(Finding(called.label, said, "refused" if refused else "finding"),), figures=(key,), tables=(key,),
        frame=_frame(columns),
        notes=tuple(note for note in (*link.notes, _of_the_table(link)) if note),
        methods=tuple(dict.fromkeys(shown)),
    )  # fmt: skip
    pictures = {key: picture_of(plot_link(link, watch=watch), title)}
    return Part.drawn(section, pictures, tables={key: table(columns, title=title)}, links={name: link})


def _estimators(link: Link) -> dict[str, Link]:
    """The naive fit, both corrected ones, and what is given, by method."""
    if not link.settled:
        return {"ols": link.naive(), **{part.method: part for part in link.parts}, link.rule: link}
    return {link.naive().method: link.naive(), **{part.method: part for part in (link.beside, link) if part}}


def _frame(columns: Mapping[str, Link]) -> Any:
    """Coefficients of every estimator, one below the other; slopes on a premium are for one unit of it."""
    frames = [frame_of(link).assign(estimator=name, per=_per(link)) for name, link in columns.items()]
    return pd.concat(frames, ignore_index=True)


def _per(link: Link) -> list[str]:
    """What each coefficient is for: one unit of a premium, or nothing that has a unit."""
    units = dict(zip(link.cells.premiums, link.cells.units[1:], strict=False))
    return [f"1 {units[term]}" if term in units else "" for term in link.estimates.labels["term"].astype(str)]


def _of_the_table(link: Link) -> str:
    """How the slope of the table compares with that of the sentences."""
    if not link.cells.premiums:
        return ""
    step, words = step_of(link.cells.units[1])
    unit = link.cells.units[1].replace("none", "unit")
    return f"The table gives the slope for 1 {unit} of premium, {1 / step:g} times the {words} of the sentences."


def _sensitivity_part(name: str, called: _Called, link: Link) -> Part:
    """What errors that are assumed would make of a link's slope."""
    answer: Sensitivity = call(f"[[links]] {name!r}: sensitivity", sensitivity, link)
    key, said = f"link_{name}_sensitivity", answer.in_words()
    section = Section(
        key, "links", called.title, lead=said, findings=(Finding(called.label, said),), figures=(key,),
        frame=answer.tidy(), methods=("sensitivity",),
    )  # fmt: skip
    return Part.drawn(section, {key: picture_of(answer.plot(), called.title)})

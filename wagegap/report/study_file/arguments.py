"""What entries of a section are given to: arguments of the estimator that it names, as far as text can give them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import Parameter
from typing import Any

from wagegap._arguments import argument_types, flaw_of
from wagegap.errors import StudyError, did_you_mean
from wagegap.report.kinds import CAUTION, COMMON, KINDS, PUBLISHED, Kind, estimator_of
from wagegap.report.shipped import SHIPPED
from wagegap.report.study_file.entries import Entry, entry_of
from wagegap.report.study_file.faults import Fault, Place
from wagegap.report.study_file.values import can_be_written

__all__ = ["Arguments", "arguments_of", "entries_of", "held_by_shipped"]


@dataclass(frozen=True, slots=True, eq=False)
class Arguments:
    """What a section may say.

    Attributes
    ----------
    kind : Kind
        Of the section.
    estimator : callable or None
        What its entries are given to; None where it names none that is known, or nothing is given to one.
    by_entry : mapping of str to str
        Arguments of the estimator by the entry that gives them.
    known, needed : tuple of str
        Entries that it may, and must, have.
    given : tuple of str
        Entries that it has.
    complete : bool
        Whether `known` are all: not where the estimator is not known.
    """

    kind: Kind
    estimator: Callable[..., Any] | None
    by_entry: Mapping[str, str]
    known: tuple[str, ...]
    needed: tuple[str, ...]
    given: tuple[str, ...] = ()
    complete: bool = True

    def takes(self, entry: str) -> Any:
        """Return the annotation of the argument that an entry gives; `Any` where there is none."""
        argument = self.by_entry.get(entry)
        return Any if argument is None or self.estimator is None else types_of(self.estimator)[argument]

    def refers(self, entry: str) -> bool:
        """Whether an entry names another section: one that may, where its argument is nothing that text can say."""
        return entry in self.kind.refers and not (entry in self.by_entry and can_be_written(self.takes(entry)))

    def own(self, entry: str) -> Entry | None:
        """Return what is known of an entry that is the study's own, and no plain argument."""
        of_some = {name for names in self.kind.besides.values() for name in names}
        if entry in self.by_entry and (entry in of_some or (entry in self.kind.refers and not self.refers(entry))):
            return None
        return entry_of(self.kind.name, entry)

    def flaw(self, entry: str, value: object) -> str:
        """Say why the argument that an entry gives cannot be a value; an empty string where it can."""
        if self.estimator is None or entry not in self.by_entry:
            return ""
        return flaw_of(self.estimator, self.by_entry[entry], value)

    def defaults(self) -> dict[str, Any]:
        """Return what the estimator takes for the texts that no entry gives."""
        if self.estimator is None:
            return {}
        parameters = entries_of(self.kind, self.estimator)
        return {name: one.default for name, one in parameters.items()
                if name not in self.given and isinstance(one.default, str | tuple)}  # fmt: skip

    def hint(self, entry: str) -> str:
        """Say what an unknown entry may have been meant for."""
        others = [
            name for name, one in self.kind.estimators.items() if one is not self.estimator
            and entry in entries_of(self.kind, one)
        ]  # fmt: skip
        if others:
            return f" It is an entry of {self.kind.chosen_by} = {' or '.join(map(repr, others))}."
        return did_you_mean(entry, self.known)


@cache
def types_of(estimator: Callable[..., Any]) -> Mapping[str, Any]:
    """Return what the arguments of an estimator may be."""
    return argument_types(estimator)


@cache
def entries_of(kind: Kind, estimator: Callable[..., Any]) -> Mapping[str, Parameter]:
    """Return the arguments of an estimator that entries of a section give, by the name of the entry.

    >>> from wagegap.regression.link.questions.swap import swap
    >>> list(entries_of(KINDS["questions"], swap))
    ['link', 'swap_in', 'names', 'alpha', 'force']
    """
    entry_names = {argument: entry for entry, argument in kind.renamed.items()}
    parameters = inspect.signature(estimator).parameters
    return {
        entry_names.get(name, name): one for name, one in parameters.items()
        if name not in kind.filled and one.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    }  # fmt: skip


def held_by_shipped(spec: object) -> str:
    """Return the class of what is shipped under a name; an empty string where nothing is.

    >>> held_by_shipped("developer_pay"), held_by_shipped("talent_migration:ai"), held_by_shipped("income")
    ('CrossProducts', 'Estimates', 'DataFrame')
    """
    loader = SHIPPED.get(spec.partition(":")[0]) if isinstance(spec, str) else None
    if loader is None:
        return ""
    said = inspect.signature(loader[0]).return_annotation
    return str(getattr(said, "__name__", said)).rpartition(".")[2]


def arguments_of(place: Place) -> tuple[Arguments, list[Fault]]:
    """Return what a section may say, and what is wrong with the estimator that it names."""
    kind, entries = place.kind, place.entries
    own = (*COMMON, *kind.places, *kind.takes, *([kind.chosen_by] if len(kind.estimators) > 1 else []))
    needs = tuple(name for name in kind.needs if name not in kind.places)
    if kind is CAUTION:
        return Arguments(kind, None, {}, own, needs), []
    faults: list[Fault] = []
    chosen = None
    try:
        if kind.chosen_by not in kind.needs or kind.chosen_by in entries:
            chosen = _chosen(place)
    except StudyError as error:
        faults.append(Fault(0, place.where, str(error), (*place.address, kind.chosen_by)))
    if chosen is None:
        return Arguments(kind, None, {}, own, needs, complete=False), faults
    parameters = entries_of(kind, chosen)
    argument_names = {entry: kind.renamed.get(entry, entry) for entry in parameters}
    needed = [name for name, one in parameters.items() if one.default is Parameter.empty]
    if _stands_for_itself(place):
        needed = []
    besides = kind.besides.get(chosen.__name__, ())
    known, all_needed = dict.fromkeys((*own, *parameters, *besides)), dict.fromkeys((*needs, *needed, *besides))
    return Arguments(kind, chosen, argument_names, tuple(known), tuple(all_needed), tuple(entries)), faults


def _chosen(place: Place) -> Callable[..., Any]:
    """The estimator of a section: what it names, or what shipped cross-products are given to."""
    kind, entries = place.kind, place.entries
    if "panel" not in entries and held_by_shipped(entries.get("shipped")) == "CrossProducts":
        return next(iter(KINDS["premiums"].estimators.values()))
    chosen = estimator_of(kind.name, entries, place.where)
    if chosen is PUBLISHED and len([name for name in kind.places if name in entries]) > 1:
        return next(iter(kind.estimators.values()))
    return chosen


def _stands_for_itself(place: Place) -> bool:
    """Whether a section takes a shipped table as it is, which leaves nothing to estimate."""
    return "shipped" in place.entries and held_by_shipped(place.entries["shipped"]) in ("Estimates", "DataFrame")

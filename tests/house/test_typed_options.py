"""Arguments of the wrong kind: every public call answers with one typed error of readable length, whatever it is given.

The first part counts: every public name and every public method of what they return passes through the door that reads
annotations. The second gives every parameter of every one of them values of some thirty kinds. A value of a kind that
the annotation does not name must be refused; one that it names may also be right.
"""

from __future__ import annotations

import inspect
import typing

import matplotlib
import pytest

import wagegap as wg
from wagegap._arguments import _evaluated

matplotlib.use("Agg")

LONGEST = 650
"""A message: the 600 characters at which it is cut, and what an error adds."""


# what users call ---------------------------------------------------------------------------------------------------

ROOMS = (wg, wg.cov, wg.datasets, wg.figures)
MADE_INSIDE = {
    "wagegap.estimation.covariance.sources": "roots of errors: made by fits, read by covariances",
    "wagegap.estimation.covariance.groupings": "groupings of rows: made by a panel, read by covariances",
    "wagegap.estimation.covariance.replication": "weights of replicates: made by options, read by fits",
    "wagegap.estimation.ledger": "the account of a sample: written by fits",
    "wagegap.regression.link.cells": "cells of a link: made by the link",
    "wagegap.regression.link.problem": "arrays of a link: made by the link",
    "wagegap._display.spec": "a table for renderers",
}
"""Modules whose classes stand in attributes of results and that no user calls, and why."""


def classes_of(annotation):
    """Classes of the package that a type names."""
    if inspect.isclass(annotation) and typing.get_origin(annotation) is None:
        return [annotation] if annotation.__module__.startswith("wagegap") else []
    return [one for part in typing.get_args(annotation) for one in classes_of(part)]


def returned(function):
    """Classes of the package that a function returns."""
    plain = inspect.unwrap(function)
    return classes_of(_evaluated(plain.__annotations__.get("return", inspect.Parameter.empty), plain.__globals__))


def methods_of(cls):
    """Public methods of a class by name, and getters of its public attributes beside them."""
    named = {name: inspect.getattr_static(cls, name) for name in dir(cls) if not name.startswith("_")}
    plain = {name: getattr(one, "__func__", one) for name, one in named.items()}
    called = {name: one for name, one in plain.items() if inspect.isfunction(one)}
    return called, [one.fget for one in named.values() if isinstance(one, property)]


def public_functions():
    """Public functions by name."""
    rooms = {room: room.__name__.rpartition(".")[2] for room in ROOMS}
    return {
        f"{rooms[room]}.{name}": getattr(room, name)
        for room in ROOMS
        for name in room.__all__
        if inspect.isfunction(getattr(room, name))
    }


def public_classes():
    """Classes that users make or are given: named by a room, or returned by what they call, and those made of them."""
    named = [getattr(room, name) for room in ROOMS for name in room.__all__]
    waiting = [one for one in named if inspect.isclass(one)]
    waiting += [cls for function in public_functions().values() for cls in returned(function)]
    found = {}
    while waiting:
        cls = waiting.pop()
        if cls in found or cls.__module__ in MADE_INSIDE:
            continue
        found[cls] = None
        called, getters = methods_of(cls)
        waiting += [*cls.__subclasses__(), *(one for each in [*called.values(), *getters] for one in returned(each))]
    return sorted(found, key=lambda cls: cls.__qualname__)


def constructors():
    """Classes that a room names: users make them."""
    return {getattr(room, name) for room in ROOMS for name in room.__all__ if inspect.isclass(getattr(room, name))}


@pytest.mark.parametrize("name", public_functions())
def test_every_public_function_passes_the_door(name):
    assert hasattr(public_functions()[name], "__takes__")


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: cls.__qualname__)
def test_every_public_method_passes_the_door(cls):
    called, _ = methods_of(cls)
    assert [name for name, one in called.items() if not hasattr(one, "__takes__")] == []
    assert cls not in constructors() or hasattr(cls.__init__, "__takes__")


def test_an_exception_that_is_none_is_struck_off():
    assert len(public_classes()) > 30
    assert not {cls.__module__ for cls in constructors()} & set(MADE_INSIDE)

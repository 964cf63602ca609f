"""What a session shows: every object that a user can get at writes itself in words or as a table."""

import dataclasses
import inspect
import typing
import warnings

import pytest

import wagegap as wg
from wagegap._display.session import Shown
from wagegap.errors import shown
from wagegap.regression.link.fitted import Answer

RECIPES = ("wagegap.estimation.covariance.options", "wagegap._display.spec")
"""What a user writes as a call (`wg.cov.Bootstrap(99)`), and the strings of a table: these are written as calls."""


def _classes(hint):
    if isinstance(hint, type):
        return [hint] if hint.__module__.startswith("wagegap") else []
    return [one for part in typing.get_args(hint) for one in _classes(part)]


def _hints(thing):
    try:
        return typing.get_type_hints(thing)
    except (NameError, TypeError):
        return {}


def _returned(thing):
    return _classes(_hints(thing).get("return"))


def _of_class(cls):
    found = [*cls.__subclasses__()]
    for name, hint in _hints(cls).items():
        found += [] if name.startswith("_") else _classes(hint)
    for name, member in inspect.getmembers(cls):
        if not name.startswith("_"):
            function = member.fget if isinstance(member, property) else getattr(member, "func", None) or member
            found += _returned(function) if callable(function) and not isinstance(function, type) else []
    return found


def reachable():
    """Classes of the package that a user can get at: what public calls return, and what can be asked of that."""
    doors = [getattr(room, name) for room in (wg, wg.datasets) for name in room.__all__]
    waiting = [one for door in doors for one in ([door] if isinstance(door, type) else _returned(door))]
    seen = set()
    while waiting:
        cls = waiting.pop()
        if cls not in seen and not issubclass(cls, BaseException):
            seen.add(cls)
            waiting += _of_class(cls)
    return sorted(seen, key=lambda cls: (cls.__module__, cls.__name__))


def _writes_a_call(cls):
    """Whether `repr` is the one that the standard library makes of the attributes."""
    return dataclasses.is_dataclass(cls) and hasattr(cls.__repr__, "__wrapped__")


def test_the_walk_reaches_results_and_what_is_in_them():
    names = {cls.__name__ for cls in reachable()}
    assert names >= {"Premiums", "Link", "Outlier", "FewCountries", "Sensitivity", "Power", "Ledger", "Estimates",
                     "Panel", "Simulation", "TestResult", "PermutationTest", "LinkCells", "Verdict"}  # fmt: skip
    assert _writes_a_call(wg.cov.Bootstrap)


@pytest.mark.parametrize("cls", [cls for cls in reachable() if cls.__module__ not in RECIPES], ids=lambda c: c.__name__)
def test_no_object_is_written_as_the_call_that_makes_it(cls):
    assert not _writes_a_call(cls)
    if issubclass(cls, Shown):
        assert callable(cls._repr_html_)
        assert callable(cls._repr_markdown_)


@pytest.fixture(scope="module")
def objects():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = wg.simulate_panel(countries=6, workers=150, premium_sd=0.2, link_slope=-0.2, link_intercept=0.25, rng=3)
        premiums = wg.fit_premiums(made.panel, "log(hourly_wage) ~ ai + exper", premium="ai", by="iso3")
        net, published = wg.datasets.talent_migration("ai"), wg.datasets.published_premiums()
        link = wg.fit_link("net_migration ~ premium", net, published)
        first, second = sorted(made.truth["iso3"])[:2]
        return {
            "simulation": made, "panel": made.panel, "premiums": premiums, "estimates": premiums.estimates,
            "ledger": premiums.ledger, "test": premiums.test(f"{first} = {second}"), "link": link,
            "outlier": link.outlier("KOR"), "few": link.few_countries(), "sensitivity": link.sensitivity(),
            "permutation": link.permutation, "cells": link.cells, "source": premiums.estimates.sources[0],
            "swap": link.swap(published, force=True),
        }  # fmt: skip


NAMES = ("simulation", "panel", "premiums", "estimates", "ledger", "test", "link", "outlier", "few", "sensitivity",
         "permutation", "cells", "source", "swap")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_an_object_is_shown_alike_in_terminal_and_notebook(objects, name):
    one = objects[name]
    assert repr(one) == str(one)
    assert "array(" not in repr(one)
    assert one._repr_html_().startswith(("<p>", "<pre>", "<table"))
    assert one._repr_markdown_()
    assert len(shown(one)) <= 63
    if isinstance(one, Answer):
        assert " ".join(repr(one).split()) == one.in_words()


def test_names_of_the_user_are_escaped_in_a_notebook():
    frame = {"iso3": ["<script>", "b"], "b": [1.0, 2.0], "se": [0.1, 0.2]}
    premiums = wg.Estimates.from_table(frame, term="ai")
    test = premiums.test("b = 0")
    assert "<script>" not in premiums._repr_html_()
    assert "<script>" not in dataclasses.replace(test, hypothesis="<script> = 0")._repr_html_()
    assert r"\<script\>" in dataclasses.replace(test, hypothesis="<script> = 0")._repr_markdown_()

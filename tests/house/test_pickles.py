"""Pickled results: those of this version open again, those of another end in one message."""

from __future__ import annotations

import copy
import pickle
from importlib import import_module

import numpy as np
import pytest

import wagegap as wg
from wagegap._version import __version__
from wagegap.errors import VersionError

SAID = r"pickle.*Estimate it again; or open it with the version that made it.*Estimates\.from_table"


@pytest.mark.parametrize(
    "name",
    [
        "estimation.roots PlainRoot", "estimation.cov Bootstrap", "regression.premium Premiums",
        "regression.mobility Rates", "regression.flows Flows", "regression.roy Roy", "regression.link.few FewCountries",
        "decomposition.rif_oaxaca RifDecomposition", "regression.choice Choice", "regression.exits Exits",
        "regression.linear Linear", "regression.selection Selection",
    ],
)  # fmt: skip
def test_pickles_of_0_3_end_in_one_message(name):
    """Written by hand: the class of that module, no arguments, a new object."""
    module, kind = name.split()
    content = f"cwagegap.{module}\n{kind}\n)".encode() + pickle.NEWOBJ + pickle.STOP
    with pytest.raises(VersionError, match=SAID):
        pickle.loads(content)


def test_pickles_of_this_version_open_again():
    premiums = wg.datasets.country_premiums("piaac")
    result = wg.fit_premiums(wg.datasets.developer_pay(), premium="ai")
    for made in (premiums, result):
        again = pickle.loads(pickle.dumps(made))
        assert type(again) is type(made)
        np.testing.assert_array_equal(again.cov_params(), made.cov_params())
        assert copy.deepcopy(made).params.equals(made.params)


def test_pickles_of_another_version_are_refused_before_their_classes_are_looked_up():
    content = pickle.dumps(wg.datasets.country_premiums("piaac"), protocol=0).decode("latin-1")
    major, minor, rest = __version__.split(".", 2)
    same = content.replace(f"V{__version__}\n", f"V{major}.{minor}.99\n")
    assert pickle.loads(same.encode("latin-1")).params.notna().all()
    later = content.replace(f"V{__version__}\n", f"V{major}.{int(minor) + 1}.{rest}\n")
    with pytest.raises(VersionError, match=rf"pickled by wagegap {major}\.{int(minor) + 1}.*{SAID[9:]}"):
        pickle.loads(later.replace("estimates:Estimates", "nowhere:Nothing").encode("latin-1"))


def test_what_the_message_advises_works():
    made = wg.datasets.country_premiums("piaac")
    again = wg.Estimates.from_table(
        made.tidy(), estimate="estimate", term="term", unit=made.unit, vcov=made.cov_params()
    )
    np.testing.assert_allclose(again.bse, made.bse)


def test_modules_that_never_were_are_not_found():
    with pytest.raises(ModuleNotFoundError):
        import_module("wagegap.regression.nothing")
    with pytest.raises(ImportError, match=r"wagegap 0\.3"):
        import_module("wagegap.regression.premium")

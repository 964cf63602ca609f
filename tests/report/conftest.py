"""The shipped study, carried out and saved once for all tests that look at it."""

from __future__ import annotations

import pytest

from wagegap.report.study import study


@pytest.fixture(scope="session")
def done():
    return study()


@pytest.fixture(scope="session")
def folder(done, tmp_path_factory):
    return done.save(tmp_path_factory.mktemp("shipped") / "wagegap-report")

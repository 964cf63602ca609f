"""The study file: read, held against the kinds of sections, and described."""

from wagegap.report.study_file.faults import Fault
from wagegap.report.study_file.json_schema import schema
from wagegap.report.study_file.parts import check_call, countries, section, without
from wagegap.report.study_file.read import StudyFile, faults, read_study

__all__ = [
    "LINK_TAKES",
    "Fault",
    "StudyFile",
    "check_call",
    "countries",
    "faults",
    "read_study",
    "schema",
    "section",
    "without",
]

LINK_TAKES = ("name", "rates", "premiums", "formula", "covariates", "max_std_error", "leave_out", "without_cross_block",
              "sensitivity")  # fmt: skip
"""Entries of a link that are no options of its fit."""

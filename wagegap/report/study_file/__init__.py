"""The study file: read, held against the kinds of sections, and described."""

from wagegap.report.study_file.read import (
    CAUTION_NEEDS,
    LINK_TAKES,
    StudyFile,
    check_call,
    countries,
    read_study,
    section,
    without,
)

__all__ = ["CAUTION_NEEDS", "LINK_TAKES", "StudyFile", "check_call", "countries", "read_study", "section", "without"]

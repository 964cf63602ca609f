"""The worked caution of a study: what a few published numbers can and cannot show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from wagegap._display.spec import plain
from wagegap.errors import StudyError
from wagegap.report.caution import examine
from wagegap.report.findings import Finding, Part, Section
from wagegap.report.sections.context import Context, call, estimates_in
from wagegap.report.shipped import load_shipped
from wagegap.report.study_file import countries
from wagegap.report.table import table

__all__ = ["caution_part"]


def caution_part(options: Mapping[str, Any], context: Context) -> Part:
    """Correlate premiums with the rates of every year, and say what the headline rests on."""
    name, where = options["premiums"], "[caution]"
    flows = load_shipped(where, options["flows"])
    if not isinstance(flows, pd.DataFrame) or "year" not in flows:
        raise StudyError("[caution]: flows must be yearly, such as 'talent_migration_by_year:ai'.")
    caution = call(
        where, examine, estimates_in(context.result("premiums", name, where)), flows, year=options["year"],
        without=countries("without", [options["without"]], where)[0],
        label=plain(context.entries("premiums", name).get("label", name)),
    )  # fmt: skip
    rows = caution.table.assign(term="r " + caution.table["year"], estimate=caution.table["r"])
    title, said = f"{caution.label} against {caution.outcome}, year by year", caution.in_words()
    shown = table(rows[["term", "estimate", "p_value"]], title=title, layout="long")
    section = Section(
        "caution", "caution", title, lead=said, findings=(Finding("Caution", said, "caution"),), tables=("caution",),
        frame=caution.table, methods=("permutation",),
    )  # fmt: skip
    return Part(section, {"caution": shown})

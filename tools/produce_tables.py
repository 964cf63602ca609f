"""Make the tables that the package ships from local copies of the surveys and mobility data.

Usage: WAGEGAP_DATA=folder python tools/produce_tables.py

Every table is a figure per country, or cross-products of a regression; no person's row is written. Sources and licences
are in wagegap/datasets/tables/NOTICE.md.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import wagegap as wg
from wagegap.datasets import harmonise
from wagegap.datasets.products import pack
from wagegap.estimation.cross_products import CellProducts, CrossProducts
from wagegap.estimation.design import build_design
from wagegap.estimation.formula import split_formula
from wagegap.estimation.least_squares.lstsq import fit_lstsq

TABLES = Path(__file__).resolve().parent.parent / "wagegap" / "datasets" / "tables"
YEARS = range(2015, 2020)
SKILLS = {"Artificial Intelligence (AI)": "ai", "Data Science": "data_science"}
PUBLISHED = ("AUS", "CAN", "FRA", "GBR", "KOR", "USA")
# A country with fewer respondents is not shipped: its cross-products would come near to single persons' answers.
FEWEST_RESPONDENTS = 100


def main():
    data = Path(os.environ["WAGEGAP_DATA"])
    warnings.simplefilter("ignore")
    developers = harmonise.read_stack_overflow()
    products = cross_products(developers, harmonise.DEVELOPERS)
    pack(products, TABLES / "developer_pay.npz")
    premiums = [
        premium_table(developers, harmonise.DEVELOPERS, "stack_overflow"),
        premium_table(harmonise.read_kaggle(), harmonise.DATA_SCIENTISTS, "kaggle"),
    ]
    adults = harmonise.read_piaac()
    graduates = adults.filter("paid == 1", reason="no pay, or a degree in health, or none")
    premiums.append(premium_table(graduates, harmonise.GRADUATES, "piaac", min_comparison=20))
    write(pd.concat(premiums, ignore_index=True), "country_premiums.csv")
    write(graduates_table(adults, graduates), "stem_graduates.csv")
    write(migration(data), "talent_migration.csv")
    write(migration_by_year(data), "talent_migration_by_year.csv")
    write(income(), "income.csv")


def premium_table(panel, spec, source, min_comparison=30):
    fitted = wg.fit_premiums(
        panel, spec.formula, premium=spec.premium, by="iso3", cov="HC1", empty_cells="exclude",
        min_comparison=min_comparison, comparison=spec.comparison,
    )  # fmt: skip
    frame = fitted.tidy().merge(fitted.cells, on="iso3")
    off_diagonal = fitted.estimates.covariance - np.diag(np.diag(fitted.estimates.covariance))
    assert not off_diagonal.any()  # nobody answers from two countries, so that errors are enough
    columns = {"estimate": "premium", "std_error": "std_error", "n_treated": "n_treated", "n": "n"}
    made = frame[["iso3", *columns]].rename(columns=columns).assign(df=fitted.estimates.df, source=source)
    return made[["source", "iso3", "premium", "std_error", "df", "n_treated", "n"]]


def graduates_table(adults, graduates):
    """STEM premium and rate of working outside STEM, of the same people: with the covariance between the two."""
    spec = harmonise.GRADUATES
    premiums = wg.fit_premiums(
        graduates, spec.formula, premium="stem", by="iso3", cov="HC1", empty_cells="exclude", min_comparison=20
    )
    rates = wg.fit_rates(adults, {"outside": "outside"}, among="working_stem", by="iso3", cov="HC1", min_rows=80)
    joined = wg.join(premiums.estimates, rates.estimates)
    labels, v = joined.labels, joined.covariance
    place = {(iso3, term): i for i, (iso3, term) in enumerate(zip(labels["iso3"], labels["term"], strict=True))}
    both = sorted(
        {iso3 for iso3, term in place if term == "stem"} & {iso3 for iso3, term in place if term == "outside"}
    )
    rows = []
    for iso3 in both:
        i, j = place[iso3, "stem"], place[iso3, "outside"]
        values = {"premium": joined.values[i], "outside": joined.values[j]}
        rows.append({"iso3": iso3, **values, "var_premium": v[i, i], "var_outside": v[j, j], "covariance": v[i, j]})
    sizes = rates.cells.set_index("iso3")["n"].rename("n_stem_working")
    more = premiums.cells.set_index("iso3")[["n_treated", "n"]]
    return pd.DataFrame(rows).join(sizes, on="iso3").join(more, on="iso3")


def cross_products(panel, spec):
    design = build_design(panel.frame, split_formula(spec.formula), ledger=panel.ledger, also=["iso3"])
    countries = panel.frame["iso3"].to_numpy()[design.rows]
    centre = design.y.mean()
    keys, cells = [], []
    for iso3, rows in sorted(pd.Series(np.arange(len(countries))).groupby(countries)):
        y, x = design.y[rows] - centre, design.x[rows]
        if len(rows) < FEWEST_RESPONDENTS:
            continue
        fit = fit_lstsq(y, x)
        x, names = x[:, fit.kept], [name for name, kept in zip(design.names, fit.kept, strict=True) if kept]
        scores = x * fit.residuals[:, None]
        keys.append(iso3)
        cells.append(CellProducts(tuple(names), x.T @ x, x.T @ y, float(y @ y), len(rows), scores.T @ scores))
    note = f"Countries with fewer than {FEWEST_RESPONDENTS} respondents are not shipped."
    frame = pd.DataFrame({"iso3": keys})
    return CrossProducts(spec.formula, spec.source, frame, tuple(cells), spec.comparison, (note,))


def migration(data):
    table, years = linkedin(data)
    table["mean"] = table[years].mean(axis=1)
    table["n_years"] = table[years].notna().sum(axis=1)
    out = table.groupby(["skill", "iso3"], observed=True).agg(net=("mean", "mean"), n_years=("n_years", "max"))
    return out.reset_index()


def migration_by_year(data):
    table, years = linkedin(data)
    some = table[table["iso3"].isin(PUBLISHED)]
    long = some.melt(["skill", "iso3"], years, "year", "net")
    long["year"] = long["year"].str[-4:].astype(int)
    return long.sort_values(["skill", "iso3", "year"])


def linkedin(data):
    table = pd.read_parquet(data / "wb_linkedin" / "skill_migration.parquet")
    table["skill"] = table["skill_group_name"].astype(str).map(SKILLS)
    years = [f"net_per_10K_{year}" for year in YEARS]
    table = table[table["skill"].notna()].astype({"iso3": object})
    return table[["skill", "iso3", *years]].astype(dict.fromkeys(years, float)), years


def income():
    table = wg.datasets.read_income(years=(min(YEARS), max(YEARS)))
    return table.groupby("iso3")["gdp_per_head"].mean().reset_index()


def write(frame, name):
    frame.reset_index(drop=True).to_csv(TABLES / name, index=False, float_format="%.17g", lineterminator="\n")
    print(f"{name}: {len(frame)} rows")


if __name__ == "__main__":
    main()

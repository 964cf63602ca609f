# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Decompositions: tables 3 and 4 of the handbook
#
# Fortin, Lemieux and Firpo (2011), *Decomposition Methods in Economics*, take the gap of log wages between men and
# women of the NLSY79 in the year 2000 apart, at the mean (table 3) and at three quantiles (table 4). Here are the same
# tables with the printed figures beside them, and what today's standard errors add.
#
# The data are `nlsy00_flf.csv` of the chapter's replication archive. The notebook looks for a copy in the folder named
# by `WAGEGAP_DATA`, then in `../shared/refdata` beside the project; where there is none it says so and goes on with a
# simulated stand-in, to which the printed figures do not apply.

# %%
# %matplotlib inline
import os
from pathlib import Path

import numpy as np
import pandas as pd

import wagegap as wg

DEMOGRAPHY = ["age00", "msa", "ctrlcity", "north_central", "south00", "west", "hispanic", "black"]
EDUCATION = ["sch_10", "diploma_hs", "ged_hs", "smcol", "bachelor_col", "master_col", "doctor_col"]
EXPERIENCE = ["wkswk_18", "yrsmil78_00", "pcntpt_22"]
INDUSTRY = ["manuf", "eduheal", "othind"]


def stand_in(n=4_000):
    """Workers with the same columns, drawn at random."""
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"female": rng.integers(2, size=n), "age00": rng.integers(35, 44, size=n)})
    for name in [*DEMOGRAPHY[1:], "famrspb"]:
        rows[name] = rng.integers(2, size=n)
    for prefix in (["sch10_12", *EDUCATION], ["primary", *INDUSTRY]):
        place = rng.integers(len(prefix), size=n)
        rows = rows.assign(**{name: (place == i) * 1 for i, name in enumerate(prefix)})
    rows["afqtp89"], rows["yrsmil78_00"] = rng.uniform(0, 10, size=n), rng.exponential(0.5, size=n)
    rows["wkswk_18"] = rng.normal(16, 4, size=n) - 2 * rows["female"]
    rows["pcntpt_22"] = rng.beta(1, 6, size=n) * (1 + rows["female"])
    pay = 2 + 0.03 * rows["wkswk_18"] - 0.05 * rows["female"] + 0.05 * rows["afqtp89"] - 0.5 * rows["pcntpt_22"]
    return rows.assign(lropc00=pay + 0.5 * rng.normal(size=n))


folders = [os.environ.get("WAGEGAP_DATA"), Path(wg.__file__).resolve().parents[2] / "shared" / "refdata"]
files = [Path(folder) / "nlsy00_flf.csv" for folder in folders if folder]
found = next((path for path in files if path.is_file()), None)
rows = stand_in() if found is None else pd.read_csv(found)
print("nlsy00_flf.csv is not here: a simulated stand-in follows." if found is None else "The data of the chapter.")
print(f"{len(rows):,} persons, {int((rows['female'] == 0).sum()):,} men")

# %% [markdown]
# ## Table 3: the mean
#
# Five columns: men's coefficients with industry based on primary sectors, the same based on manufacturing, women's
# coefficients with other bases, coefficients weighted by the groups' sizes, and pooled ones with an indicator of the
# group. `convention="stata"` takes the errors of means as independent of those of coefficients, as the chapter did.

# %%
GROUPS = {"age, race, region": DEMOGRAPHY, "AFQT": "afqtp89", "family": "famrspb", "experience": EXPERIENCE}
COLUMNS = {
    "men": ("A", EDUCATION, INDUSTRY),
    "men, other base": ("A", EDUCATION, ["primary", "eduheal", "othind"]),
    "women": ("B", ["sch_10", "sch10_12", "diploma_hs", "ged_hs", *EDUCATION[4:]], INDUSTRY),
    "weighted": (0.500926, EDUCATION, INDUSTRY),
    "pooled": ("pooled", EDUCATION, INDUSTRY),
}


def formula(education, industry):
    return f"lropc00 ~ {' + '.join([*DEMOGRAPHY, *education, 'afqtp89', 'famrspb', *EXPERIENCE, *industry])}"


def column(reference, education, industry, **options):
    detail = {**GROUPS, "education": education, "industry": industry}
    return wg.oaxaca(
        rows, formula(education, industry), group="female", groups=(0, 1), reference=reference, detail=detail, **options
    )


table3 = {name: column(*choice, convention="stata") for name, choice in COLUMNS.items()}
wg.table(table3, title="Table 3", layout="stacked")

# %% [markdown]
# The printed figures (Stata's log), and how far ours are from them:

# %%
PRINTED = pd.DataFrame.from_dict({
    "age, race, region": [0.0115371, 0.0115371, 0.0094784, 0.0105151, 0.0103136],
    "education": [-0.0124049, -0.0124049, -0.0077608, -0.0101371, -0.0095283],
    "AFQT": [0.0108035, 0.0108035, 0.0106791, 0.0107176, 0.0110502],
    "family": [0.0328186, 0.0328186, 0.0348287, 0.033805, 0.0281105],
    "experience": [0.137095, 0.137095, 0.0869987, 0.1120442, 0.0923997],
    "industry": [0.0174583, 0.0174583, 0.0024117, 0.0099979, 0.0091617],
    "explained": [0.1973076, 0.1973076, 0.1366357, 0.1669427, 0.1415073],
    "unexplained": [0.0359927, 0.0359927, 0.0966646, 0.0663576, 0.091793],
    "unexplained: industry": [-0.0920156, 0.0137992, -0.0770291, -0.0845552, -0.083719],
}, orient="index", columns=list(COLUMNS))  # fmt: skip


def here(result):
    """Explained part by group, the two totals, and the unexplained part of industry, in the order of the print."""
    own = result.tidy().set_index(["component", "term"])["estimate"]
    last = [own["explained", "total"], own["unexplained", "total"], own["unexplained", "industry"]]
    return [*(own["explained", name] for name in PRINTED.index[:6]), *last]


ours = pd.DataFrame({name: here(result) for name, result in table3.items()}, index=PRINTED.index)
beside = pd.concat({"printed": PRINTED, "here": ours}, axis=1).swaplevel(axis=1)[list(PRINTED)]
print(beside[["men", "women", "pooled"]].to_string(float_format="{:.7f}".format))
largest = float((PRINTED - ours).abs().max().max())
print(
    f"\nlargest difference in all five columns: {largest:.0e}" if found else "\nThe printed figures are of other data."
)

# %% [markdown]
# **How to read it.** Of a gap of 23 log points, 20 are explained at men's coefficients, two thirds of them by
# experience, and 14 at pooled ones. With the other base of industry the totals stay and the part of industry in the
# unexplained gap moves: it has no meaning without a normalisation (`normalize=` for a factor).

# %%
table3["men"].plot().figure

# %%
table3["men"].plot(component="explained").figure

# %% [markdown]
# ## What the errors leave out
#
# Stata's errors take means and coefficients as independent and, at a group's own coefficients, errors of equal
# variance. The default here does neither: the influence of each person on everything is kept, so that clusters,
# surveys and joint tests follow from it. A bootstrap of 500 resamples is seconds.

# %%
full = column(*COLUMNS["pooled"])
boot = column(*COLUMNS["pooled"], cov=wg.cov.Bootstrap(500, rng=1))
errors = pd.DataFrame({"Stata's": table3["pooled"].bse, "influence functions": full.bse, "bootstrap": boot.bse})
print(errors[errors.index.str.contains("total")].round(5).to_string())
print()
print(full.shares().query("term == 'total'").round(3).to_string(index=False))

# %% [markdown]
# ## Table 4: quantiles
#
# At men's coefficients, with recentered influence functions of the 10th, 50th and 90th percentile, and Stata's density
# (Epanechnikov, bandwidth .10). The printed errors are bootstrapped; ours count the estimated quantile and density.
# Round hourly pay ties up to three per cent of a group at one value. By default the gap is then that of the quantiles,
# and analytic errors are left out where they do not hold; `mass_points="peers"` is Stata's rule, which is printed.

# %%
BASE = (["sch_10", "sch10_12", "diploma_hs", "ged_hs", "bachelor_col", "master_col", "doctor_col"], INDUSTRY)
options = {"group": "female", "groups": (0, 1), "density": "stata", "bandwidth": 0.10, "mass_points": "peers"}
table4 = wg.rif_oaxaca(rows, formula(*BASE), probs=(0.1, 0.5, 0.9), detail="none", **options)
printed4 = {
    "difference": [(0.180, 0.023), (0.241, 0.019), (0.260, 0.026)],
    "explained": [(0.274, 0.035), (0.208, 0.025), (0.136, 0.028)],
    "unexplained": [(-0.094, 0.044), (0.033, 0.028), (0.124, 0.036)],
}
own = table4.tidy().set_index(["component", "measure"])[["estimate", "std_error"]].sort_index()
own["printed"], own["printed error"] = zip(
    *(printed4[part][["0.1", "0.5", "0.9"].index(measure[9:12])] for part, measure in own.index), strict=True
)
print(own.round(3).to_string())

# %% [markdown]
# The whole process: what experience explains falls from the bottom to the top, and the unexplained gap rises, the sign
# of a glass ceiling.

# %%
probs = tuple(np.round(np.arange(1, 20) / 20, 2))
detail = {**GROUPS, "education": BASE[0], "industry": INDUSTRY}
process = wg.rif_oaxaca(rows, formula(*BASE), probs=probs, detail=detail, **options)
process.plot().figure

# %%
process.plot(component="explained").figure

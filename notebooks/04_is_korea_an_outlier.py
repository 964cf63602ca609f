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
# # Is Korea an outlier?
#
# Workers with AI skills earn 6 % more in Korea and 25 % more in the United States, and 16 % of Korea's work abroad. Is
# that one country's failure, or the pattern of all? Will it come to other ageing economies? And what would an American
# premium do? Every question is one call; what matters is how little these data allow one to say.
#
# Tables that are not shipped (ageing, research spending, pay of doctors) are read from the folder named by
# `WAGEGAP_DATA`, else from `../shared/data` beside the project.

# %%
# %matplotlib inline
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import wagegap as wg
from wagegap.errors import ReliabilityError, ReliabilityWarning
from wagegap.regression.link.permutation import permute
from wagegap.regression.link.questions.curve import specification_curve

warnings.simplefilter("ignore", ReliabilityWarning)
beside = Path(wg.__file__).resolve().parents[2] / "shared" / "data"
folder = Path(os.environ.get("WAGEGAP_DATA") or beside)

# %% [markdown]
# ## Off the line of the others?
#
# Three sources of premiums, two kinds of leaving. Fit each line without Korea, and ask how far Korea is from it. The
# p-value holds for a country named in advance; Korea was named because it looked odd, so the larger one is ours.

# %%
ai = wg.datasets.talent_migration("ai")
stem = wg.datasets.stem_graduates()
stem_premiums, outside = stem.select(term="premium"), stem.select(term="outside")
outside = outside.map(np.eye(20), labels=outside.labels.assign(term="share_outside_STEM"))
links = {
    "published premiums, AI migration": wg.fit_link("net_migration ~ premium", ai, wg.datasets.published_premiums()),
    "Kaggle premiums, AI migration": wg.fit_link(
        "net_migration ~ premium", ai, wg.datasets.country_premiums("kaggle"), method="ols"
    ),
    "PIAAC premiums, STEM graduates outside STEM": wg.fit_link("share_outside_STEM ~ premium", outside, stem_premiums),
}
answers = {name: link.outlier("KOR") for name, link in links.items()}
for name, answer in answers.items():
    print(f"{name}: {answer.in_words()}\n")

# %%
answers["PIAAC premiums, STEM graduates outside STEM"].plot().figure

# %% [markdown]
# **How to read it.** The red bar is where the other countries would put Korea, given its premium. (Stack Overflow has
# too few Koreans in AI work for a premium of Korea.)
#
# ## How few countries this is

# %%
for name, link in links.items():
    print(f"{name}: {link.few_countries().in_words()}\n")
links["published premiums, AI migration"].few_countries().tests.round(3)

# %% [markdown]
# ## What would an American premium do?

# %%
for name, link in links.items():
    other = "USA" if "USA" in link.cells.names else "NLD"
    print(f"{name}: {link.predict(country='KOR', premium=other).in_words()}\n")

# %% [markdown]
# The third link has no United States, whose pay PIAAC does not publish; the Netherlands stand in. None of the three
# settles even the direction.
#
# ## Will it come to others?
#
# Does the association differ where more people are over 65, or where more is spent on research?

# %%
ageing = pd.read_parquet(folder / "institutions" / "ageing.parquet").query("year == 2015 and not is_aggregate")
tech = pd.read_parquet(folder / "institutions" / "tech_intensity.parquet").query("2013 <= year <= 2017")
traits = ageing[["iso3", "share_65up_pct"]].merge(tech.groupby("iso3")["rd_pct_gdp"].mean().reset_index(), how="outer")
traits = traits.rename(columns={"share_65up_pct": "share_over_65", "rd_pct_gdp": "research_spending"}).dropna()
traits["iso3"] = traits["iso3"].astype(str)

kaggle = wg.datasets.country_premiums("kaggle")
kaggle = kaggle.select(kaggle.labels["iso3"].isin(traits["iso3"]).to_numpy())
for trait in ("share_over_65", "research_spending"):
    naive = wg.fit_link("net_migration ~ premium", ai, kaggle, method="ols", data=traits)
    print(naive.moderate(trait).in_words(), "\n")
    corrected = wg.fit_link("share_outside_STEM ~ premium", outside, stem_premiums, data=traits)
    try:
        print(corrected.moderate(trait).in_words(), "\n")
    except ReliabilityError as refusal:
        print("Graduates:", refusal, "\n")

# %% [markdown]
# ## Every defensible choice
#
# Two sources of premiums, controls in every combination, naive and corrected, with and without the countries that stand
# at the ends.

# %%
sources = {name: wg.datasets.country_premiums(name) for name in ("stack_overflow", "kaggle")}
sources = {name: e.select(e.labels["iso3"].isin(traits["iso3"]).to_numpy()) for name, e in sources.items()}
data = wg.datasets.income().merge(traits, on="iso3")
curve = specification_curve(
    "net_migration", ai, sources, data=data, controls=["log(gdp_per_head)", "share_over_65", "research_spending"],
    samples={"all": (), "without IRN, PHL": ("IRN", "PHL"), "without KOR": ("KOR",)},
)  # fmt: skip
print(curve.in_words())
curve.plot().figure

# %% [markdown]
# ## Do graduates leave their field where doctors are paid more?
#
# Pay of specialists over GDP per head (OECD), and the share of STEM graduates who work outside STEM. There are several
# ways to put it, and the best of them looks strong. Its error is not published, so the slope is naive.

# %%
doctors = pd.read_parquet(folder / "oww" / "oecd_doctor_nurse_pay.parquet")
health = pd.read_parquet(folder / "oww" / "piaac_doctor_engineer_pay.parquet")
rates = pd.Series(outside.values, index=outside.labels["iso3"])
tries = {
    f"log {name}, {year}": np.log(part.groupby("iso3")[name].mean().dropna())
    for name in ("specialist_over_gdp_per_head", "specialist_over_nurse", "nurse_hospital_over_gdp_per_head")
    for year, part in (("mean of years", doctors), ("2015", doctors.query("year == 2015")))
}
tries["log pay, health less STEM (PIAAC)"] = health.set_index("iso3")["ln_health_stem"].dropna()
tries = {name: values[values.index.isin(rates.index)] for name, values in tries.items()}
table = pd.DataFrame(
    [(name, len(v), np.corrcoef(v, rates[v.index])[0, 1]) for name, v in tries.items()],
    columns=["try", "countries", "r"],
).set_index("try")
table.round(2)

# %% [markdown]
# What is the best of seven worth? Deal the shares to the countries at random, and keep the largest of the seven
# correlations of each deal.

# %%
names = list(rates.index)
at = {key: np.array([names.index(c) for c in values.index]) for key, values in tries.items()}


def largest(order):
    dealt = rates.to_numpy()[order]
    return max(abs(np.corrcoef(values, dealt[at[key]])[0, 1]) for key, values in tries.items())


best = table["r"].abs().idxmax()
alone = permute(lambda order: np.corrcoef(tries[best], rates.to_numpy()[order][at[best]])[0, 1], len(names), reps=1999)
print(f"{best}: r = {table.loc[best, 'r']:.2f} over {table.loc[best, 'countries']} countries")
print(f"as if it had been the only try: {alone}")
print(f"as the best of {len(tries)}: {permute(largest, len(names), reps=1999)}")

# %%
frame = tries[best].rename("b").reset_index().assign(se=np.nan)
pay = wg.Estimates.from_table(frame, unit="log", term="doctors", source="OECD Health Statistics")
link = wg.fit_link("share_outside_STEM ~ premium", outside, pay)
print(link.few_countries().in_words())
link.plot().figure

# %% [markdown]
# **What this is worth.** The best of seven correlations, dealt again seven at a time, is still one that chance gives in
# about three deals of a hundred; for the one alone it would have been one in a hundred. The tests above range from
# .007 to .12, the premium is pay over GDP per head in fifteen countries, its error is not published, and outcome and
# sample were chosen too, which no test counts. That is a reason to collect the pay of doctors for more countries, with
# standard errors, and to say beforehand which measure will be used; it is not a finding about why graduates leave.
#
# And on Korea: no source shows it off the line of the others by more than their own scatter, in none do the
# tests agree that the line slopes at all, and none says what an American premium would do.

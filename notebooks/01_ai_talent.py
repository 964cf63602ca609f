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
# # AI talent: does pay move it?
#
# The main job of wagegap, step by step, on the tables that come with the package. Workers with AI skills are said to
# earn 25 % more than others in the United States and 6 % more in Korea, where 16 % of them work abroad. Is that one
# country's failure, or a pattern?

# %%
# %matplotlib inline
import warnings

import pandas as pd

import wagegap as wg
from wagegap.errors import ReliabilityError, ReliabilityWarning, SmallCellWarning

# Small cells and low reliability are read from the results below.
warnings.simplefilter("ignore", SmallCellWarning)
warnings.simplefilter("ignore", ReliabilityWarning)

# %% [markdown]
# ## What was published
#
# Six countries, no standard errors. An error that was not published is unknown, never zero.

# %%
published = wg.datasets.published_premiums()
print(published)

# %% [markdown]
# ## Premiums estimated here
#
# Pay of developers ships as cross-products by country: sums, from which premiums and standard errors come out equal to
# those of the regression on the rows. Countries with fewer than 20 respondents in AI work are left out, and listed.

# %%
premiums = wg.fit_premiums(wg.datasets.developer_pay(), premium="ai")
print(premiums.per_cent().tidy().query("iso3 in ['USA', 'GBR', 'JPN', 'IND']").round(1).to_string(index=False))
print(premiums.absent.query("iso3 == 'KOR'").to_string(index=False))

# %%
wg.figures.plot_forest(premiums).figure

# %% [markdown]
# **How to read it.** Each row is a country's premium over other respondents, mostly developers, in logs. The
# United States is precise; most intervals are wide enough to hold the American premium and zero at once. Korea is
# absent: 17 of its respondents do AI work.
#
# The share of the spread that is more than sampling error:

# %%
print(f"reliability {premiums.reliability():.2f}")

# %% [markdown]
# ## Premiums and migration
#
# Net migration of LinkedIn members with AI skills, per 10,000, mean of 2015-19, on the premium and on income.

# %%
net = wg.datasets.talent_migration("ai")
income = wg.datasets.income()
precise = premiums.estimates.select(premiums.bse.to_numpy() < 0.35)
link = wg.fit_link("net_migration ~ premium + log(gdp_per_head)", net, precise, data=income)
wg.table({"naive": link.naive(), "moments": link.moments, "likelihood": link.likelihood, "given": link})

# %%
print("\n".join(link.always_printed()))

# %%
wg.figures.plot_link(link).figure

# %% [markdown]
# **How to read it.** The naive slope given income is +30 (14) per 10 log points, a number reported with a
# star. Bars are the premiums' 95 % intervals: Iran and the Philippines stand at the ends, with the widest ones. Two
# corrections know how wide they are. Moments ask only that one slope holds; the likelihood also asks that premiums
# differ as much among countries measured badly as among those measured well, which these data contradict: the two put
# the variance of true premiums twelve times apart. So no single slope is given but the range of both, from -597 to
# +618.
#
# Without those two countries the premiums given income are mostly noise, and a corrected interval is refused:

# %%
rest = precise.select(~precise.labels["iso3"].isin(["IRN", "PHL"]))
try:
    wg.fit_link("net_migration ~ premium + log(gdp_per_head)", net, rest, data=income)
except ReliabilityError as refusal:
    print(refusal)

# %% [markdown]
# ## A caution, worked out
#
# The published premiums against net migration, a year at a time, with every order of six countries tried. A single year
# is what a headline would use.

# %%
rows = []
for year, frame in wg.datasets.talent_migration_by_year("ai").groupby("year"):
    rates = wg.Estimates.from_table(frame, estimate="net", std_error=None, term="net_migration", unit="per 10,000")
    one = wg.fit_link("net_migration ~ premium", rates, published, method="ols")
    slopes = one.leave_one_out.set_index("cell")["slope"]
    rows.append((year, one.slope, slopes["KOR"], slopes.min(), slopes.max(), one.permutation.p_value))
columns = ["year", "slope", "without Korea", "lowest without one", "highest without one", "permutation p"]
pd.DataFrame(rows, columns=columns).set_index("year").round(2)

# %% [markdown]
# The earliest year has the smallest p-value, .06, and a slope that no country makes. In the latest two, the ones that a
# headline would quote, the sign rests on Korea alone: without it the line slopes the other way.

# %% [markdown]
# ## Leaving the field
#
# STEM premium and the share of STEM graduates who work outside STEM come from the same people of the PIAAC survey, so
# that their errors are correlated within a country. The link takes that covariance into account; `without_units()`
# forgets it.

# %%
both = wg.datasets.stem_graduates()
outside, stem = both.select(term="outside"), both.select(term="premium")
with_cross = wg.fit_link("outside ~ premium", outside, stem)
without = wg.fit_link("outside ~ premium", outside, stem.without_units())
wg.table({"naive": with_cross.naive(), "with cross block": with_cross, "without": without})

# %%
wg.figures.plot_link(with_cross).figure

# %% [markdown]
# **How to read it.** Ellipses are the joint 95 % regions of premium and rate. Korea's 74 % outside STEM is measured
# well, its premium is not: nor are most. The black line is that of the moments, the yellow one of the likelihood, and
# the band holds both: twenty countries with these errors do not settle the slope.
#
# The whole report: `python -m wagegap`.

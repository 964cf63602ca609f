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
# # From flows between countries to who leaves STEM
#
# Where do researchers go, which countries lose them, and which graduates of science and engineering end up in other
# work? This notebook reads public tables that do not come with the package: set `WAGEGAP_DATA` to the folder of local
# copies (`wg.datasets.catalogue()` lists readers, files and terms).

# %%
# %matplotlib inline
import warnings

import numpy as np

import wagegap as wg
from wagegap import errors

# Few clusters, small cells, levels that a country lacks and low reliability are read from the results below.
for kind in (
    errors.FewClustersWarning, errors.IdentificationWarning, errors.ReliabilityWarning, errors.SmallCellWarning
):  # fmt: skip
    warnings.simplefilter("ignore", kind)

# %%
print(wg.datasets.describe("scholar_flows"))

# %% [markdown]
# ## Where researchers go
#
# Moves between the fifty countries with the most departures, 2010-18. The table lists no zeros; they are added.

# %%
flows = wg.datasets.read_scholar_flows("scopus", years=(2010, 2018))
pairs = wg.datasets.complete_pairs(flows, 50, by_year=False)
wg.figures.plot_corridors(
    pairs, origin="origin", destination="destination", flow="moves", at_most=15, keep="KOR", unit="moves of researchers"
).figure

# %% [markdown]
# **How to read it.** A row is a pair of countries: the dark bar are moves in the direction that is named, the light one
# those back, and at the right stands the difference. The United States stand at one end of most corridors, of Korea's
# too; the way back carries nearly as many.
#
# Distance, borders and language explain much of it. Poisson gravity keeps the zeros; origins and destinations have
# effects of their own, so that only what differs between pairs is estimated.

# %%
pairs = pairs.merge(wg.datasets.read_distances(), on=["origin", "destination"])
formula = "moves ~ log(distw) + contig + comlang_off + colony | origin + destination"
gravity = wg.fit_flows(pairs, formula, cov="CR1:origin")
wg.table(
    {
        "by origin": gravity,
        "by origin, fixest's count": gravity.with_cov("CR1:origin", small_sample="fixest"),
        "both ends": wg.fit_flows(pairs, formula, cov="CR1:origin+destination"),
        "dyads": wg.fit_flows(pairs, formula, cov=wg.cov.Dyadic("origin", "destination")),
    }
)

# %% [markdown]
# The elasticity is one number; its error is not. Corridors that share a country, at either end, are related: errors
# that allow for it (dyads) are larger than those of the usual clusters.
#
# What is *not* identified is said by name. Income of the origin cannot stand beside effects of the origin:

# %%
income = wg.datasets.read_income(years=(2010, 2018)).groupby("iso3")["gdp_per_head"].mean().rename("income_origin")
try:
    wg.fit_flows(pairs.join(income, on="origin").dropna(), formula.replace("moves ~", "moves ~ log(income_origin) +"))
except errors.IdentificationError as error:
    print(error)

# %% [markdown]
# ## Which countries lose researchers
#
# Departures over researchers, 2018. The two bibliographic databases do not agree on the level, by a factor of three
# for Korea; a comparison of countries must stay within one.

# %%
rates = {name: wg.datasets.read_scholar_rates(name, years=(2018, 2018)) for name in ("scopus", "openalex")}
chosen = ["KOR", "JPN", "USA", "DEU", "CHN", "IND"]
both = rates["scopus"].merge(rates["openalex"], on="iso3", suffixes=("_scopus", "_openalex")).set_index("iso3")
(100 * both.loc[chosen, ["out_rate_scopus", "out_rate_openalex", "net_rate_scopus", "net_rate_openalex"]]).round(1)

# %% [markdown]
# ## Who leaves STEM
#
# Employed graduates of science, mathematics, computing and engineering whose occupation is another (ISCO 21, 25, 31
# and 35 are STEM), from the OECD's survey of adult skills. Korea's and Japan's rates, and the American one, have the
# survey's own replicate errors.

# %%
graduates = wg.datasets.read_piaac(replicates=True)
leaving = {"outside STEM": "outside", "neither STEM nor manager": "outside_or_manager", "in health": "to_health"}
replicated = wg.fit_rates(graduates, leaving, among="working_stem").in_unit("per cent")
print(replicated.estimates.describe())
replicated.tidy().pivot(index="iso3", columns="term", values=["estimate", "std_error"]).round(1)

# %%
adults = wg.datasets.read_piaac()
outside = wg.fit_rates(adults, {"outside": "outside"}, among="working_stem", by="iso3", cov="HC1", min_rows=80)
wg.figures.plot_forest(outside).figure

# %% [markdown]
# **How to read it.** Among the high-income members of the OECD covered, Korea has the highest share outside STEM. Few
# of those outside are in health occupations (2.5 %): if medicine draws the best students it does so *before* the
# degree, which a cross-section of completed degrees cannot show.
#
# Where they go instead, in Korea and in Norway:

# %%
stem = adults.filter("working_stem == 1")
moves = wg.fit_transitions(stem.filter("iso3 in ['KOR', 'NOR']"), "field", "kind", by="iso3", cov="HC1")
wg.figures.plot_transitions(moves)[0].figure

# %% [markdown]
# **How to read it.** Of Norway's engineers 63 % do STEM work, of Korea's 28 %. Half of Korea's are in occupations that
# are neither professional nor managerial: clerks, sales, crafts, plants. Management and medicine explain little of it.

# %% [markdown]
# ## Does a higher premium keep them?
#
# Premiums of STEM degrees by country, estimated from the same survey, and a logit of leaving on the premium, sex and
# field of the degree. Weights are scaled so that every country counts the same. The premium stands in every row of
# its country with the same error; the reliability among the rows says what that does.

# %%
paid = adults.filter("paid == 1")
mincer = "log(EARNHRPPP) ~ stem + exp_years + I(exp_years**2 / 100) + educ_level + sex"
premiums = wg.fit_premiums(paid, mincer, premium="stem", by="iso3", cov="HC1", empty_cells="exclude")
frame = stem.frame
stem = stem.assign(
    share=frame["SPFWT0"] / frame.groupby("iso3")["SPFWT0"].transform("sum"),
    woman=(frame["sex"] == "f") * 1, engineer=(frame["field"] == "engineering") * 1,
)  # fmt: skip
call = dict(premiums=premiums, cov="HC1", weights="share")
carried = wg.fit_exits(stem, "outside ~ premium + woman + engineer", **call)
corrected = wg.fit_exits(stem, "outside ~ premium + woman + engineer", **call, correction="simex", draws=20)
print(carried.notes[0])
wg.figures.plot_effects({"errors carried": carried, "and corrected": corrected}).figure

# %% [markdown]
# **How to read it.** About half of the spread of premiums is sampling error. Corrected for it the estimate doubles,
# and so does its interval: nothing is settled in either direction. Women leave more often than men, and that is
# precise.
#
# Both fits take it that nothing else differs between countries. The link does not: it regresses the rates of
# countries on their premiums, with the errors of both, which the same graduates make correlated, and a variance of
# its own for all that moves countries besides.

# %%
link = wg.fit_link("outside ~ premium", outside, premiums, force=True)
wg.table({"naive": link.naive(), "moments": link.moments, "likelihood": link.likelihood, "given": link})

# %%
print("\n".join(link.always_printed()))

# %% [markdown]
# The naive slope is a third of a point for a point and could be zero; the two corrections do not settle on one slope,
# and the range of both is all that is given. Twenty countries with premiums this noisy do not tell whether pay keeps
# graduates in STEM.
#
# The kinds of work compete: multinomial logit, average marginal effects for women.

# %%
kinds = wg.fit_exits(stem, "kind ~ woman + engineer", model="multinomial", base="STEM", cov="HC1", weights="share")
kinds.effects.select(term="woman").tidy().round(3)[["exit", "estimate", "std_error", "conf_low", "conf_high"]]

# %% [markdown]
# ## Why Korea and not Norway?
#
# Does the gap of 35 points come from who the graduates are, or from what becomes of equal ones? Yun's decomposition
# of the two logits, with errors of regressors and coefficients.

# %%
two = stem.filter("iso3 in ['KOR', 'NOR']")
gap = wg.yun(two, "outside ~ woman + engineer + exp_years", group="iso3", groups=("KOR", "NOR"), cov="HC1")
print(gap)

# %% [markdown]
# Hardly any of it is composition: graduates alike in sex, field and experience leave STEM far more often in Korea.
# That is a fact about what employers offer and what occupations are called, not yet about pay.

# %% [markdown]
# ## What must be kept in mind
#
# - **Occupation is not field.** An engineer who manages is counted as leaving; without managers Korea's rate is 69 %.
# - **A stock of leavers is not a flow.** The survey sees where graduates are, not when they left or what they gave
#   up.
# - **Drop-outs are a noisy upper bound of switchers.** Korean science institutes count 305 leavers in 2022; 86 named
#   medicine as their reason in the academic year 2024.
# - **Premiums belong to their comparison group.** Here it is other graduates, health left out; a doctor over the
#   average wage is another number.
# - **Levels or logarithms.** Percentage premiums are logarithms; with gaps in levels the predicted selection of
#   migrants can turn its sign (`wg.grogger_hanson` prints both).
# - **Two sources, two answers.** Scopus and OpenAlex differ threefold on Korea's departures; LinkedIn has Korea
#   gaining in data science and losing in artificial intelligence.
# - **One convention of degrees of freedom** moves an error by a few per cent here, and elsewhere a result across a
#   line; every result prints its own.
# - **Errors of workers are not errors of countries.** Those of the logit above leave shocks to a whole country out.

# %%
low, high = 100 * np.array(outside.jeffreys().loc["KOR"])
print(f"Korea outside STEM: {100 * outside.params['KOR']:.0f} %, Jeffreys' interval {low:.0f} to {high:.0f} %")

"""Known surveys as panels: the choices that turn a public file into comparable workers, in one place.

The files are not shipped. `WAGEGAP_DATA` names the folder that holds local copies; each function also takes a path.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._typing import AnyArray
from wagegap.datasets.layout import as_laid_out, layout
from wagegap.datasets.local import PathLike, indicator, local_file, whole_table, zero_one
from wagegap.datasets.stack_overflow import join_years
from wagegap.errors import ColumnError, DataError, DuplicateKeyError, OptionError, refuse_rows
from wagegap.estimation.named import with_index_columns
from wagegap.panel.files import read_file
from wagegap.panel.load import read_panel
from wagegap.panel.panel import Panel

__all__ = [
    "DATA_SCIENTISTS",
    "DEVELOPERS",
    "GRADUATES",
    "Specification",
    "read_kaggle",
    "read_piaac",
    "read_stack_overflow",
]


@dataclass(frozen=True, slots=True)
class Specification:
    """A regression of a known survey.

    Attributes
    ----------
    formula : str
        Outcome and regressors.
    premium : str
        Column whose premium it is.
    comparison : str
        Who it compares with.
    source : str
        Name of the data.
    """

    formula: str
    premium: str
    comparison: str
    source: str


DEVELOPERS = Specification(
    "log(pay_usd) ~ ai + exp_years + I(exp_years**2 / 100) + educ_level + sex + C(year)",
    "ai",
    "other respondents, mostly software developers",
    "Stack Overflow surveys 2015-17, 2019, 2024, 2025",
)
DATA_SCIENTISTS = Specification(
    "log(pay_usd) ~ ai + exp_years + I(exp_years**2 / 100) + educ_level + sex + C(year)",
    "ai",
    "respondents with other job titles",
    "Kaggle surveys 2019-22",
)
GRADUATES = Specification(
    "log(EARNHRPPP) ~ stem + exp_years + I(exp_years**2 / 100) + educ_level + sex",
    "stem",
    "graduates of other fields, health left out",
    "OECD PIAAC, cycle 1",
)

# Columns that the readers need.
_STACK_OVERFLOW = layout(
    text=["iso3", "pay_kind", "educ"], year=["year"], number=["pay_usd", "exp_years", "female"],
    answer=["ai", "fulltime"],
)  # fmt: skip
_KAGGLE = layout(
    text=["iso3", "title", "educ"], year=["year"], number=["pay_lo", "code_years_mid", "female"], bound=["pay_hi"]
)
_PIAAC = layout(
    text=["iso3"], code=["ISCO2C"],
    number=["pid", "SPFWT0", "EDCAT7", "B_Q01b", "EARNHRPPP", "C_Q09_C", "GENDER_R", "C_D05"],
)  # fmt: skip
_PAY_KINDS = ("exact", "exact_trimmed", "band10k", "band20k")
_STEM_OCCUPATIONS = ("21", "25", "31", "35")
_HEALTH_OCCUPATIONS = ("22", "32")
_FIELDS = {1: "general", 2: "education", 3: "humanities", 4: "social, business, law", 5: "science", 6: "engineering",
           7: "agriculture", 8: "health", 9: "services"}  # fmt: skip


@public
def read_stack_overflow(
    source: Annotated[
        PathLike | Panel | list[Panel] | tuple[Panel, ...],
        "the path of so_micro.parquet, or panels that read_stack_overflow_year made",
    ]
    | None = None,
) -> Panel:
    """Read full-time respondents with pay, experience and the kind of work, the top and bottom 1 % of pay left out.

    Parameters
    ----------
    source : path, Panel, or list of Panel, optional
        The table so_micro.parquet, or years as `read_stack_overflow_year` reads them;
        `WAGEGAP_DATA`/so_survey/so_micro.parquet where absent.

    Returns
    -------
    Panel
        Developers with pay in US dollars a year.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError
        No such file, or another table; panels that are none of years, or a year twice.

    Examples
    --------
    With a copy of the survey below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> panel = wg.datasets.read_stack_overflow()
    >>> list(panel.frame)
    ['iso3', 'year', 'pay_usd', 'pay_kind', 'ai', 'educ', 'exp_years', 'female', 'fulltime', 'sex',
    'educ_level']
    """
    panel = _respondents(source)
    frame = panel.frame
    complete = frame["pay_usd"].gt(500) & frame["exp_years"].notna() & frame["ai"].notna()
    panel = panel.filter(
        frame["pay_kind"].astype(str).isin(_PAY_KINDS), reason="pay not exact or in bands of the survey"
    )
    panel = panel.filter(
        complete.to_numpy()[panel.row_ids], reason="no pay over 500 dollars, experience or kind of work"
    )
    panel = panel.filter(_full_time(panel.frame), reason="not full-time, or not known to be")
    rank = panel.frame.groupby(["iso3", "year"], observed=True)["pay_usd"].rank(pct=True)
    panel = panel.filter((rank > 0.01) & (rank < 0.99), reason="top and bottom 1 % of pay in country and year")
    frame = panel.frame
    early = frame["year"].astype(str).isin(["2015", "2016"]).map({True: "b_", False: ""})
    return panel.assign(
        ai=frame["ai"].astype(int),
        sex=_sex(frame),
        educ_level=early + frame["educ"].astype("object").fillna("na").astype(str),
    )


@public
def read_kaggle(path: PathLike | None = None) -> Panel:
    """Read employed respondents with a pay band (its midpoint) and coding experience.

    Parameters
    ----------
    path : path, optional
        The table kaggle_2019_2022.parquet; `WAGEGAP_DATA`/kaggle_survey/kaggle_2019_2022.parquet where absent.

    Returns
    -------
    Panel
        Respondents with pay in US dollars a year, the middle of their band.

    Raises
    ------
    DataError, ColumnError, EmptyDataError

    Examples
    --------
    With a copy of the survey below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> panel = wg.datasets.read_kaggle()
    >>> list(panel.frame)
    ['iso3', 'year', 'title', 'educ', 'pay_lo', 'pay_hi', 'code_years_mid', 'female', 'pay_usd', 'ai',
    'exp_years', 'sex', 'educ_level']
    """
    panel = _by_country_and_year(whole_table(path, "kaggle_survey/kaggle_2019_2022.parquet", _KAGGLE), DATA_SCIENTISTS)
    frame = panel.frame
    title = frame["title"].astype("object")
    idle = title.fillna("").str.contains("Student|not employed|None", case=False, regex=True)
    low, high = frame["pay_lo"].astype(float), frame["pay_hi"].astype(float)
    panel = panel.assign(
        pay_usd=np.where(np.isinf(high), low * 1.3, (low + high) / 2),
        ai=zero_one(indicator(title.str.contains("Data Scientist|Machine Learn|Research Scientist").eq(True), title)),
        exp_years=frame["code_years_mid"], sex=_sex(frame),
        educ_level=frame["educ"].astype("object").fillna("na").astype(str),
    ).filter(~idle, reason="students and respondents without a job")  # fmt: skip
    panel = panel.filter("ai.notna()", reason="no title")
    frame = panel.frame
    known = frame["pay_lo"].notna() & frame["code_years_mid"].notna() & (frame["pay_usd"] >= 1000)
    return panel.filter(known, reason="no pay over 1,000 dollars or no experience")


@public
def read_piaac(path: PathLike | None = None, *, replicates: bool | PathLike = False) -> Panel:
    """Read adults of the skills survey: field of degree, occupation, hourly pay, weights.

    Adds `educ_level` ("level 1" to "level 8", the categories of EDCAT7); `graduate`; `stem` and `health` (field of the
    degree, missing without a degree or its field); the kind of occupation `kind` and what it means for these, missing
    where the occupation is: `outside` (not a STEM occupation: ISCO 21, 25, 31, 35) and its opposite `in_field`,
    `outside_or_manager` (nor a manager), `to_health` (ISCO 22, 32). Three samples are 1 or 0 for everybody:
    `working_stem` (employed STEM graduates with a known occupation), `has_pay` (graduates of a known field with pay and
    experience), and `paid` (those of fields other than health).

    Parameters
    ----------
    path : path, optional
        The table piaac_c1.parquet; `WAGEGAP_DATA`/piaac/piaac_c1.parquet where absent.
    replicates : bool or path
        Join the 80 replicate weights (JK2) from this table, or from piaac_c1_repwt_kor_usa_jpn.parquet beside the other
        one, and keep the countries that it has; they are then the default covariance of whatever is fitted.

    Returns
    -------
    Panel
        Adults with hourly pay in PPP dollars, weights and replicate weights.

    Raises
    ------
    DataError, ColumnError, DuplicateKeyError

    Examples
    --------
    With a copy of the survey below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> panel = wg.datasets.read_piaac()
    >>> list(panel.frame)
    ['iso3', 'pid', 'SPFWT0', 'EARNHRPPP', 'C_Q09_C', 'ISCO2C', 'EDCAT7', 'B_Q01b', 'GENDER_R', 'C_D05',
    'graduate', 'stem', 'health', 'exp_years', 'sex', 'field', 'educ_level', 'kind', 'working_stem', 'outside',
    'in_field', 'outside_or_manager', 'to_health', 'has_pay', 'paid']
    """
    source = local_file(path, "piaac/piaac_c1.parquet")
    rows = whole_table(source, "piaac/piaac_c1.parquet", _PIAAC)
    rows["iso3"] = rows["iso3"].astype("object")
    roles: dict[str, Any] = {"worker": "pid", "country": "iso3", "weight": "SPFWT0", "source_name": GRADUATES.source}
    if replicates is not False:
        beside = source.with_name("piaac_c1_repwt_kor_usa_jpn.parquet") if replicates is True else replicates
        rows, names = _with_replicates(rows, local_file(beside, "piaac/piaac_c1_repwt_kor_usa_jpn.parquet"))
        roles |= {"replicate_weights": names, "replicate_kind": "JK2"}
    panel = read_panel(rows, **roles)
    return panel.assign(**_adults(panel.frame))


def _adults(frame: pd.DataFrame) -> dict[str, Any]:
    """Columns that `read_piaac` adds: indicators are missing where what they ask is, flags of samples are 0 there."""
    text = frame["ISCO2C"].astype("object").fillna("")
    occupation = text.where(text.str.fullmatch(r"\d\d") & ~text.str.startswith("99"))
    graduate = indicator(frame["EDCAT7"].between(5, 8), frame["EDCAT7"])
    degree = frame["B_Q01b"].where(graduate.fillna(False))
    stem, health = indicator(degree.isin([5, 6]), degree), indicator(degree.eq(8), degree)
    paid = frame["EARNHRPPP"].between(1, 200) & frame["C_Q09_C"].notna() & degree.notna()
    in_stem = indicator(occupation.isin(_STEM_OCCUPATIONS), occupation)
    manager = indicator(occupation.str.startswith("1").eq(True), occupation)
    to_health = indicator(occupation.isin(_HEALTH_OCCUPATIONS), occupation)
    return dict(
        graduate=zero_one(graduate), stem=zero_one(stem), health=zero_one(health), exp_years=frame["C_Q09_C"],
        sex=frame["GENDER_R"].map({1: "m", 2: "f"}).fillna("na"), field=frame["B_Q01b"].map(_FIELDS).astype(object),
        educ_level=_levels(frame["EDCAT7"]), kind=_kinds(occupation),
        working_stem=_flag(stem & frame["C_D05"].eq(1) & occupation.notna()),
        outside=zero_one(~in_stem), in_field=zero_one(in_stem), outside_or_manager=zero_one(~(in_stem | manager)),
        to_health=zero_one(to_health), has_pay=_flag(paid), paid=_flag(paid & ~health),
    )  # fmt: skip


def _respondents(source: PathLike | Panel | list[Panel] | tuple[Panel, ...] | None) -> Panel:
    """Return all respondents with a country, of the table or of the years given."""
    if isinstance(source, Panel | list | tuple):
        return join_years([source] if isinstance(source, Panel) else source)
    if source is not None and not isinstance(source, str | os.PathLike):
        raise OptionError(
            f"source={source!r} must be the path of so_micro.parquet, or panels that read_stack_overflow_year made."
        )
    return _by_country_and_year(whole_table(source, "so_survey/so_micro.parquet", _STACK_OVERFLOW), DEVELOPERS)


def _by_country_and_year(rows: pd.DataFrame, spec: Specification) -> Panel:
    """Respondents of known countries as a panel."""
    rows["iso3"] = rows["iso3"].astype("object")
    return read_panel(rows[rows["iso3"].notna()], country="iso3", period="year", source_name=spec.source)


def _with_replicates(rows: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Rows of the countries that have replicate weights, with these."""
    weights = with_index_columns(read_file(str(path)))
    names = [name for name in map(str, weights) if name.startswith("SPFWT") and name != "SPFWT0"]
    keys = ["iso3", "pid"]
    if not names or not set(keys) <= set(weights):
        raise ColumnError(f"{path.name} has no replicate weights SPFWT1, SPFWT2, ... with iso3 and pid.")
    needed = layout(text=["iso3"], number=["pid", *names])
    weights = as_laid_out(weights[[*keys, *names]], needed, path.name).astype({"iso3": object})
    twice = int(weights.duplicated(keys).sum())
    if twice:
        raise DuplicateKeyError(f"{path.name} has {twice:,} persons twice.")
    merged = rows[rows["iso3"].isin(weights["iso3"].unique())].merge(weights, on=keys, how="left")
    refuse_rows(merged[names[0]].isna(), DataError, "", f" persons have no replicate weights in {path.name}.")
    return merged, names


def _levels(category: pd.Series[Any]) -> pd.Series[Any]:
    """Levels of education as words, which no formula takes for numbers; "na" where unknown."""
    return category.map(lambda level: f"level {int(level)}", na_action="ignore").astype("object").fillna("na")


def _kinds(occupation: pd.Series[Any]) -> AnyArray:
    """Kind of occupation in words; None where it is unknown."""
    code = occupation.fillna("")
    conditions = [
        code.eq(""), code.isin(_STEM_OCCUPATIONS), code.str.startswith("1"), code.isin(_HEALTH_OCCUPATIONS),
        code.eq("23"), code.str[:1].isin(["2", "3"]),
    ]  # fmt: skip
    words = [None, "STEM", "managers", "health", "teaching", "other professionals"]
    return np.select([np.asarray(c, dtype=bool) for c in conditions], np.array(words, dtype=object), "other")


def _sex(frame: pd.DataFrame) -> pd.Series[str]:
    return frame["female"].map({0: "m", 1: "f"}).astype("object").fillna("na")


def _flag(sample: pd.Series[Any]) -> pd.Series[int]:
    """1 in a sample, 0 out of it; whoever is not known to belong to it is out."""
    return sample.astype("boolean").fillna(False).astype(int)


def _full_time(frame: pd.DataFrame) -> pd.Series[bool]:
    """Who works full time, and who is employed in years that ask for no more than that (2025).

    A missing answer is none: it is kept only in a year in which nobody was asked.
    """
    full, year = frame["fulltime"].astype("boolean"), frame["year"]
    answered = frame["employment"].notna() if "employment" in frame else full.notna()
    asked = [side.groupby(year).transform("any") for side in (full.fillna(False), answered)]
    return (full.fillna(False) | (full.isna() & ~asked[0] & (answered | ~asked[1]))).astype(bool)

"""What columns are called where they have a role: words of surveys in several languages, the most telling first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["plain_name", "rank"]

_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "worker": (
            r"(?:p|person|worker|emp|employee|resp|respondent|indiv|individual|subject|member|staff)_?"
            r"(?:id|nr|no|num|number|key|code)",
            r"pid|personid|workerid|idind|persnr|pseudoid|respid|caseid|idno|nomem|uid|participant|worker|person"
            r"|respondent|employee",
            r"id|nr|ident|identifier|serial|id_?num(?:ber)?",
        ),
        "country": (
            r"iso_?(?:3|2|a3|alpha3?|code|n|num(?:eric)?)?|country_?(?:code|name|iso3?|of_\w+)?|cntry|cntryid|cnt|ctry"
            r"|countries|nation|economy|land|staat|pays|pais|país|paese|국가",
            r"country_\w+|\w+_country|residence|location|geo|where|place|region",
        ),
        "period": (
            r"year|yr|syear|survey_?year|interview_?year|intyear|jahr|annee|année|ano|año|anno|연도|년도",
            r"wave|period|round|quarter|month|time|date|cycle|t",
            r"\w+_year|year_\w+|interview\w*|\w+_wave",
        ),
        "wage": (
            r"(?:real_?|log_?|ln_?|l)?(?:hourly|hr|hour)_?(?:wage|pay|earnings?|rate)s?(?:_\w+)?"
            r"|(?:wage|pay|earn(?:ings)?)_?(?:hr|hour|hourly|per_hour|h)(?:_\w+)?",
            r"(?:real_?|log_?|ln_?|l)?wages?\d{0,4}|wage_\w+|\w+_wages?|incwage|salaire|salario|sueldo|lohn|stundenlohn"
            r"|gehalt|임금|월급|급여|seculo",
            r"(?:log_?|ln_?|l)?(?:salary|salaries|pay|remuneration|compensation|comp|stipend)|\w*_?salary|pay_\w+|\w+_pay"
            r"|salary_\w+|compensation_\w+|annual_?comp\w*",
            r"(?:log_?|ln_?|l)?(?:earn|earns|earnings?|labou?r_?inc(?:ome)?|labinc)|\w+_earnings?|earnings?_\w+",
            r"(?:log_?|ln_?|l)?(?:income|inc|einkommen|revenu|renta)|income_\w+|\w+_income",
        ),
        "field": (
            r"field(?:_of_\w+)?|study_?field|degree_?field|major|discipline|studienfach|fach|전공",
            r"field_\w+|\w+_field|major_\w+|\w+_major",
            r"industry|sector|ind|naics|nace|isic|branche|branch|ind_?code|indus\w*",
        ),
        "occupation": (
            r"occupation|occ|isco(?:_?08|_?88)?|soc|job_?title|job|beruf|profession|직업",
            r"occupation_\w+|occ_\w+|\w+_occupation|\w+_occ|isco\w*|jobclass|title",
        ),
        "weight": (
            r"(?:samp|sampling|svy|survey|person|per|final|p|f|pers|w)_?(?:weight|wgt|wt|w)s?|fnlwgt|finalwt|perwt|asecwt"
            r"|spfwt0|hhwt|pwgtp|earnwt|wtfinl|wtssall|marsupwt|fexp|factor_?(?:expansion)?|hochrechnung\w*|gewicht|가중치",
            r"weights?|wgt|wt",
            r"\w+_weight|weight_\w+|\w+wgt|\w+_wt|wt_?\w+",
        ),
        "cluster": (
            r"psu|v021|sdmvpsu|varunit|cluster(?:_?id)?|ea|enumeration_?area|primary_?sampling_?unit",
            r"hh_?id|household(?:_?id)?|hhnum|family_?id|firm(?:_?id)?|establishment(?:_?id)?|employer(?:_?id)?|plant_?id"
            r"|school_?id|village",
        ),
        "strata": (r"strat(?:a|um)(?:_?id)?|v022|v023|sdmvstra|varstrat|design_?strat\w*",),
        "region": (
            r"region|state|province|prov|kanton|canton|bundesland|bland|departement|district|county|msa|metro|city|지역|시도",
            r"region_\w+|\w+_region|state_\w+|statefip|gestfips|residence|area",
        ),
        "skill": (
            r"(?:has_?|uses?_?|is_?|d_?)?(?:ai|ml|ai_?skills?|ai_?work(?:er)?|machine_?learning|stem|tech|digital|cloud|coding"
            r"|programm(?:er|ing)|data_?scien\w*|computer|it|ict)(?:_?(?:skill|worker|user|job|degree)s?)?",
            r"skill\w*|\w+_skills?|treat(?:ed|ment)?|trained|training|train|program|certifi\w*|licen[cs]\w*|grant|\w*_treated",
            r"college|degree|university|univ|grad|graduate|tertiary|ba|high_?educ\w*|collgrad|highed\w*|(?:some_?)?college\w*",
            r"union|unionized|unionised|union_?member\w*|public_?sector|foreign\w*|immigrant|migrant|remote|parttime"
            r"|part_?time|manager|supervisor",
        ),
        "education": (
            r"educ|education|schooling|school|ed|yrs_?educ\w*|years_?(?:of_?)?(?:educ\w*|school\w*)|grade|edlevel|educ_\w+"
            r"|degree|qualification|schulbildung|highest_?degree|학력",
        ),
        "experience": (
            r"exper|experience|exp|years?_?(?:of_)?(?:\w+_)?experience|\w+_experience|experience_\w+|yrs?_?exp\w*"
            r"|work_?exp\w*|potexp|경력|yearscode\w*",
        ),
        "age": (r"age|alter|edad|idade|연령|나이|age_?years",),
        "sex": (r"female|male|sex|gender|woman|women|geschlecht|sexe|sexo|성별|fem",),
        "tenure": (r"tenure|seniority|ten|yrs_?tenure|years?_?(?:in|at)_?(?:firm|job)",),
        "away": (
            r"abroad(?:_?next)?|emigrat\w*|moved_?abroad|left_?country|went_?abroad|leaves?_?country|outmigrat\w*"
            r"|migrat(?:ed|es?|ion)",
            r"left|leaves?|leaving|leaver|moved?|mover|out_?mig\w*|exit(?:ed|s)?|quit(?:s|ted)?|separat(?:ed|ion)",
        ),
        "changed": (
            r"new_?field(?:_?next)?|switch(?:ed|es)?(?:_\w+)?|changed?_?(?:field|job|occupation|sector)|(?:field|job)_?"
            r"(?:switch|change|changed)|new_?(?:job|occupation|sector)(?:_?next)?|left_?field",
        ),
        "estimate": (
            r"estimate|est|b|beta|coef|coeff|coefficient|premium|premium_\w+|\w+_premium|effect|gap|return|value|slope",
        ),
        "std_error": (r"se|std_?err(?:or)?|stderr|standard_?error|s_?e|se_\w+|\w+_se|std_error_\w+",),
        "rate": (
            r"rate|share|pct|percent(?:age)?|\w+_rate|\w+_share|rate_\w+|share_\w+|net_?migration|emigration|switching",
        ),
    }
)
_NOT: Mapping[str, str] = MappingProxyType(
    {
        "wage": r"(?:^|_)(?:hus|husb|husband|spouse|sps|partner|fam|family|hh|house|household|min|minimum|rep|lag|next"
        r"|growth|index|other|nonlab|nonwage|nwif|father|mother|parents?|per|median|mean|avg|gap|fringe|benefit\w*)(?:_|$)"
        r"|^hus|^sps|^rep(?!ort)|^fam|^nwif|^min|(?:^|_)(?:freq|currency|unit|type|band_?id|flag)$",
        "period": r"birth|born|yob|gebjahr|arriv|phd|grad|degree|entry|start|married|immig",
        "worker": r"country|region|state|firm|hh|house|sector",
        "country": r"birth|born|origin|mother|father|parent",
        "weight": r"height|birth|body|bwght|kg|lbs",
    }
)
"""What such names may not hold, as "hourly wage of the husband"."""


def plain_name(name: str) -> str:
    """Return a name in small letters with one mark between words.

    >>> plain_name("HourlyWage (USD)"), plain_name("yrs.since.phd"), plain_name("GDP2019")
    ('hourly_wage_usd', 'yrs_since_phd', 'gdp2019')
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name.strip())
    return re.sub(r"[^\w]+|_+", "_", parted).strip("_").lower()


def rank(role: str, name: str) -> int | None:
    """Return how telling a name is for a role, 0 the most; None where it says nothing of it.

    >>> rank("wage", "hourly_wage"), rank("wage", "Salary"), rank("wage", "huswage"), rank("worker", "pid")
    (0, 2, None, 0)
    """
    plain = plain_name(name)
    if role in _NOT and re.search(_NOT[role], plain):
        return None
    return next((i for i, words in enumerate(_WORDS[role]) if re.fullmatch(words, plain)), None)

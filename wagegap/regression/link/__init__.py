"""The link: rates on premiums, with the uncertainty of the first stage carried along."""

from wagegap.regression.link.fit import fit_link
from wagegap.regression.link.questions.curve import SpecificationCurve, specification_curve
from wagegap.regression.link.result import Link
from wagegap.regression.link.system import LinkSystem, fit_link_system

__all__ = [
    "Link",
    "LinkSystem",
    "SpecificationCurve",
    "fit_link",
    "fit_link_system",
    "specification_curve",
]

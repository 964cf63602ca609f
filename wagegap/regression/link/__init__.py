"""The link: rates on premiums, with the uncertainty of the first stage carried along."""

from wagegap.regression.link.fit import fit_link
from wagegap.regression.link.result import Link

__all__ = ["Link", "fit_link"]

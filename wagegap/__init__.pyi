"""Where each public name is: read by type checkers, and by `__init__.py`, which loads a name on first use."""

import wagegap.estimation.covariance.options
import wagegap.report.figures

from . import datasets as datasets
from . import errors as errors
from .decomposition.distributions.counterfactual import counterfactual as counterfactual
from .decomposition.distributions.dfl import dfl as dfl
from .decomposition.distributions.rif_oaxaca import rif_oaxaca as rif_oaxaca
from .decomposition.means.oaxaca import oaxaca as oaxaca
from .decomposition.means.oaxaca_selection import oaxaca_offers as oaxaca_offers
from .decomposition.means.oaxaca_selection import oaxaca_selection as oaxaca_selection
from .decomposition.rates.kitagawa import kitagawa as kitagawa
from .decomposition.rates.rate_gaps import fairlie as fairlie
from .decomposition.rates.rate_gaps import yun as yun
from .estimation.estimates import Estimates as Estimates
from .estimation.estimates import join as join
from .panel.load import read_panel as read_panel
from .panel.panel import Panel as Panel
from .panel.simulate import simulate_panel as simulate_panel
from .regression.choice.choice import fit_choice as fit_choice
from .regression.exits.exits import fit_exits as fit_exits
from .regression.gravity.common_effects import common_correlated_effects as common_correlated_effects
from .regression.gravity.flows import fit_flows as fit_flows
from .regression.gravity.grogger_hanson import grogger_hanson as grogger_hanson
from .regression.gravity.occupations import occupation_gravity as occupation_gravity
from .regression.linear.linear import fit_linear as fit_linear
from .regression.linear.linear import hausman as hausman
from .regression.linear.wild_bootstrap import wild_bootstrap as wild_bootstrap
from .regression.link.fit import fit_link as fit_link
from .regression.link.power import power as power
from .regression.link.questions.curve import specification_curve as specification_curve
from .regression.link.system import fit_link_system as fit_link_system
from .regression.premiums.premium import fit_premiums as fit_premiums
from .regression.rates.mobility import fit_rates as fit_rates
from .regression.rates.stocks import stock_rates as stock_rates
from .regression.rates.transitions import fit_transitions as fit_transitions
from .regression.selection.roy import fit_roy as fit_roy
from .regression.selection.selection import fit_selection as fit_selection
from .report.study import study as study
from .report.table import table as table

__version__: str

cov = wagegap.estimation.covariance.options
figures = wagegap.report.figures

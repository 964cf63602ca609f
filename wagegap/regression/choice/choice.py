"""Choice of a destination or a field: conditional and nested logit, elasticities and substitution.

A chooser (a migrant, a student) takes one alternative out of a set. The utility of alternative j is x_ij'b: attributes
of alternatives (pay there, distance), constants of alternatives, and attributes of choosers times alternatives. The
data have a row for each chooser and alternative. What does not vary between alternatives drops out, so that an
attribute of choosers enters with the alternatives, as in `income:place`.

Where sampling took more of those who chose one alternative, weights bring each back to its share of the population
(choice-based samples); errors are then robust ones.

References
----------
Manski, C. and S. Lerman (1977). The estimation of choice probabilities from choice based samples. Econometrica 45,
1977-1988.
McFadden, D. (1974). Conditional logit analysis of qualitative choice behavior. In P. Zarembka (ed.), Frontiers in
Econometrics. Academic Press.
McFadden, D. (1978). Modelling the choice of residential location. In A. Karlqvist et al. (eds), Spatial Interaction
Theory and Planning Models. North-Holland.
Train, K. (2009). Discrete Choice Methods with Simulation, 2nd ed., chapters 3 and 4. Cambridge University Press.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import pandas as pd

from wagegap._typing import (
    AxesLike,
    BoolArray,
    ColumnName,
    Condition,
    FloatArray,
    Formula,
    Label,
    SmallSample,
    WeightKind,
)
from wagegap.errors import DataWarning, OptionError, check_column, did_you_mean, listing, warn
from wagegap.estimation.cellwise import relate
from wagegap.estimation.covariance.options import CovLike, parse_cov
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.estimation.sample import CellFit
from wagegap.estimation.spec import refittable
from wagegap.panel.panel import as_panel
from wagegap.panel.rows import domain_of
from wagegap.regression.choice.choice_sets import (
    ChoiceColumns,
    ChoiceModel,
    ChoiceRows,
    Choices,
    NestTree,
    read_choices,
    reweighted,
    typical_means,
)
from wagegap.regression.choice.likelihood import ChoiceFit, fit_conditional_logit, fit_nested_logit

__all__ = ["Choice", "fit_choice"]


@dataclass(frozen=True, eq=False, repr=False)
class Choice(Result):
    """A fitted choice model.

    Attributes
    ----------
    estimates : Estimates
        Coefficients, then the dissimilarity of each nest, with the covariance.
    alternatives : DataFrame
        Alternative, nest, number of choosers who had it and who took it, observed and predicted share.
    loglik, loglik_equal : float
        Log likelihood, and that of equal probabilities within each set.
    model : object
        What evaluates the model at other rows.
    """

    alternatives: pd.DataFrame
    loglik: float
    loglik_equal: float
    model: ChoiceModel

    def shares(self, data: Any = None) -> Estimates:
        """Return predicted shares of the alternatives: of the sample, or of other choice sets.

        Parameters
        ----------
        data : data frame, optional
            Choice sets with the columns of the fit, such as the same choosers under other pay.

        Examples
        --------
        >>> import wagegap as wg
        >>> sets = pd.DataFrame({"who": [1, 1, 2, 2, 3, 3], "place": ["home", "away"] * 3,
        ...                      "pay": [1.0, 2.0, 1.0, 1.5, 1.0, 1.2], "took": [0, 1, 1, 0, 0, 1]})
        >>> fitted = wg.fit_choice(sets, "pay", chooser="who", alternative="place", chosen="took")
        >>> fitted.shares(sets.assign(pay=1.0)).params.round(3).to_dict()
        {'away': 0.5, 'home': 0.5}
        """
        if data is None:
            values, slopes = self.model.sample_shares
        else:
            values, slopes = self._at(data).shares(self.estimates.values)
        labels = pd.DataFrame({"alternative": self.model.levels, "term": "share", "unit": "share"})
        found = self.estimates.map(slopes, labels=labels, title="Predicted shares")
        return replace(found, values=values)

    def elasticities(self, variable: str, data: Any = None) -> Estimates:
        """Return elasticities of the alternatives' shares in an attribute of each alternative, own and cross.

        The element (alternative j, changed k) is the per cent by which the share of j changes when the attribute of k
        rises by one per cent.

        Parameters
        ----------
        variable : str
            A column of the formula.
        data : data frame, optional
            Choice sets over which elasticities are averaged, weighted by the probability of j; where absent they are
            taken at one set that has each alternative's means.

        Raises
        ------
        OptionError
            Where the variable is no number of the formula, or the formula has no value at means.

        Examples
        --------
        >>> import wagegap as wg
        >>> sets = pd.DataFrame({"who": [1, 1, 2, 2, 3, 3], "place": ["home", "away"] * 3,
        ...                      "pay": [1.0, 2.0, 1.0, 1.5, 1.0, 1.2], "took": [0, 1, 1, 0, 0, 1]})
        >>> fitted = wg.fit_choice(sets, "pay", chooser="who", alternative="place", chosen="took")
        >>> fitted.matrix(fitted.elasticities("pay")).round(2).loc["home"].to_dict()
        {'away': -1.23, 'home': 0.79}
        """
        known = self.model.variables
        if variable not in known:
            raise OptionError(
                f"no elasticity in {variable!r}.{did_you_mean(variable, known)} Numbers in the formula: "
                f"{listing(known) or 'none'}."
            )
        rows = self.model.typical([variable]) if data is None else self._at(data, variable)
        return self._pairs(lambda b: rows.elasticities(b, variable), variable, "none", "Elasticities")

    def substitution(self, data: Any = None) -> Estimates:
        """Return where those who give up an alternative go: the share of k's loss that j gains, when k gets worse.

        Parameters
        ----------
        data : data frame, optional
            Choice sets to add up over; where absent one set that has each alternative's means.

        Examples
        --------
        >>> import wagegap as wg
        >>> sets = pd.DataFrame({"who": [1, 1, 2, 2, 3, 3], "place": ["home", "away"] * 3,
        ...                      "pay": [1.0, 2.0, 1.0, 1.5, 1.0, 1.2], "took": [0, 1, 1, 0, 0, 1]})
        >>> fitted = wg.fit_choice(sets, "pay", chooser="who", alternative="place", chosen="took")
        >>> fitted.substitution().params.round(6).to_dict()
        {'away home': 1.0, 'home away': 1.0}
        """
        rows = self.model.typical() if data is None else self._at(data)
        return self._pairs(rows.diversion, "diversion", "share", "Substitution")

    def matrix(self, pairs: Estimates) -> pd.DataFrame:
        """Return elasticities or substitution as a table: a row for each alternative, a column for each changed one.

        Parameters
        ----------
        pairs : DataFrame
            What `elasticities()` or `substitution()` gave: a row for each pair of alternatives.
        """
        for column in ("alternative", "changed"):
            check_column(column, pairs.labels.columns, "among the labels of pairs")
        frame = pairs.labels.assign(value=pairs.values)
        wide = frame.pivot_table(index="alternative", columns="changed", values="value", sort=False)
        return wide.reindex(index=self.model.levels, columns=self.model.levels)

    def plot(self, ax: AxesLike = None, *, variable: str | None = None, data: Any = None) -> Any:
        """Draw where those go who give up an alternative, or the elasticities in an attribute, as a matrix.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        variable : str, optional
            Attribute whose elasticities are drawn; substitution where absent.
        data : data frame, optional
            Choice sets, as in `elasticities` and `substitution`.

        Returns
        -------
        Axes

        Raises
        ------
        OptionError
            Where the variable is no number of the formula, or the formula has no value at means.

        Examples
        --------
        >>> import wagegap as wg
        >>> sets = pd.DataFrame({"who": [1, 1, 2, 2, 3, 3], "place": ["home", "away"] * 3,
        ...                      "pay": [1.0, 2.0, 1.0, 1.5, 1.0, 1.2], "took": [0, 1, 1, 0, 0, 1]})
        >>> fitted = wg.fit_choice(sets, "pay", chooser="who", alternative="place", chosen="took")
        >>> [text.get_text() for text in fitted.plot(variable="pay").get_yticklabels()]
        ['away', 'home']
        """
        from wagegap.regression.figures import draw_pairs

        if variable is None:
            what = "Per cent of those who give up the column's alternative that go to the row's"
            return draw_pairs(self.substitution(data), self.model.levels, what=what, ax=ax)
        what = f"Per cent by which the row's share changes when {variable} of the column's rises by 1 %"
        return draw_pairs(self.elasticities(variable, data), self.model.levels, what=what, ax=ax)

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        gain = 1 - self.loglik / self.loglik_equal if self.loglik_equal else np.nan
        return super().glance().assign(n_alternatives=len(self.alternatives), loglik=self.loglik, pseudo_r2=gain)

    def _at(self, data: Any, variable: str | None = None) -> ChoiceRows:
        return self.model.rows(as_panel(data).frame, [] if variable is None else [variable])

    def _pairs(self, function: Callable[[FloatArray], FloatArray], term: str, unit: str, title: str) -> Estimates:
        levels = self.model.levels
        everything = np.asarray(function(self.estimates.values))
        known = np.isfinite(everything)
        labels = pd.DataFrame(
            {"alternative": np.repeat(levels, len(levels)), "changed": np.tile(levels, len(levels)), "term": term,
             "unit": unit}
        )[known]  # fmt: skip
        return self.estimates.map(lambda b: function(b)[known], labels=labels, title=title)


@refittable
def fit_choice(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    chooser: ColumnName,
    alternative: ColumnName,
    chosen: ColumnName | None = None,
    nests: Annotated[Mapping[str, str | Sequence[Any]], "a dict of nest -> alternatives"] | None = None,
    common_dissimilarity: bool = False,
    scaled: bool = True,
    base: Label | None = None,
    population: Mapping[Any, float] | None = None,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
    keep_units: bool = True,
) -> Choice:
    """Fit the choice of one alternative out of a set.

    Parameters
    ----------
    data : Panel or data frame
        A row for each chooser and alternative; sets may differ.
    formula : str
        Right-hand side, such as `pay + log(dist) + place + income:place`, with the column of alternatives among it for
        constants; or with the outcome in front, `took ~ pay`.
    chooser, alternative : str
        Columns.
    chosen : str, optional
        Column that is 1 (or true) in the row taken, or holds the alternative taken in every row of the chooser.
    nests : dict of name -> alternatives, optional
        Nested logit. Every alternative is in one nest; a nest of one, which has no dissimilarity, stands alone.
    common_dissimilarity : bool
        One dissimilarity for all nests.
    scaled : bool
        Divide utilities by the dissimilarity within nests, which alone agrees with random utility; the other
        parametrisation is that of older software.
    base : object, optional
        Alternative whose constants are zero; the first where absent.
    population : dict of alternative -> share, optional
        Shares of the population that chose each alternative, in a sample drawn by choice: choosers are weighted by
        them over the sample's shares (Manski and Lerman).
    cov : str or object of `wagegap.cov`, optional
        Covariance; the panel's declared cluster, else HC1. `"iid"` is the inverse of the information.
    small_sample : str
        Small-sample factor, by the software whose convention it is.
    weights, weight_kind
        Weights of choosers: a column, or values for the rows, the same in all rows of a chooser.
    keep_units : bool
        Keep the scores, so that results can be joined.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Choice

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, DuplicateKeyError, EmptyDataError, IdentificationError

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import wagegap as wg
    >>> rng = np.random.default_rng(0)
    >>> sets = pd.DataFrame({"who": np.repeat(np.arange(500), 3), "place": np.tile(["home", "near", "far"], 500)})
    >>> sets["pay"] = rng.normal(size=1500)
    >>> utility = (sets["pay"] + rng.gumbel(size=1500)).to_numpy().reshape(500, 3)
    >>> sets["took"] = (utility == utility.max(axis=1, keepdims=True)).ravel()
    >>> fitted = wg.fit_choice(sets, "pay + place", chooser="who", alternative="place", chosen="took", base="home")
    >>> fitted.params.index.tolist()
    ['pay', 'place[T.far]', 'place[T.near]']
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    columns = ChoiceColumns.of(formula, chooser, alternative, chosen)
    tree = NestTree(nests, common_dissimilarity, scaled)
    asked = None if cov is None else parse_cov(cov).drawn_by(chooser)
    how = dict(cov=asked, small_sample=small_sample, weights=weights, weight_kind=weight_kind)
    choices = read_choices(as_panel(data), columns, base, tree, how)
    choices = choices if population is None else reweighted(choices, population)
    result = _result(choices, _fit(choices, choices.choosers.weights))
    return result if keep_units else result.without_units()


def _fit(choices: Choices, weights: FloatArray | None) -> ChoiceFit:
    rows, names = choices.rows, choices.model.names
    if rows.nests is None or not choices.dissimilarities:
        return fit_conditional_logit(rows.x, rows.sets, choices.chosen, weights, names=names)
    return fit_nested_logit(
        rows.x, rows.sets, choices.chosen, rows.nests, weights, names=names, dissimilarities=choices.dissimilarities
    )


def _result(choices: Choices, fit: ChoiceFit) -> Choice:
    model, rows = choices.model, choices.rows
    terms = [*model.names, *choices.dissimilarities]
    labels = pd.DataFrame({"term": terms, "unit": "none", "comparison": f"base {model.levels[0]}"})
    of_choosers = CellFit(
        values=fit.params, influence=fit.scores @ fit.bread, n_params=len(fit.params), classical=fit.bread
    )
    estimates = relate(
        choices.choosers,
        [of_choosers],
        lambda choosers: _fit(choices, choosers.weights).params,
        labels,
        title="Choice, nested logit" if choices.dissimilarities else "Choice, conditional logit",
        notes=_notes(choices, fit),
    )
    shares = rows.shares(fit.params)
    w = rows.weights
    counts = [np.bincount(at, minlength=len(model.levels)) for at in (rows.level, rows.level[choices.chosen])]
    observed = np.bincount(rows.level[choices.chosen], weights=w, minlength=len(model.levels)) / w.sum()
    frame = pd.DataFrame(
        {"alternative": model.levels, "n": counts[0], "n_chosen": counts[1], "observed": observed,
         "predicted": shares[0]}
    )  # fmt: skip
    model = replace(model, sample_shares=shares, **typical_means(choices))
    equal = -float(w @ np.log(rows.sets.counts))
    return Choice(estimates, frame, fit.loglik, equal, model)


def _notes(choices: Choices, fit: ChoiceFit) -> tuple[str, ...]:
    """Number of choices, and dissimilarities at odds with random utility."""
    levels = choices.model.levels
    notes = [f"{len(choices.choosers):,} choices among {len(levels)} alternatives, base {levels[0]}."]
    found = fit.params[len(choices.model.names) :]
    outside = [
        f"{name} {value:.3f}" for name, value in zip(choices.dissimilarities, found, strict=True) if not 0 < value <= 1
    ]
    if outside:
        words = f"{listing(outside)} outside (0, 1]: the nests are at odds with choices that maximise a random utility."
        warn(words + " Other nests, or none, may fit.", DataWarning)
        notes.append(words)
    return tuple(notes)

"""Names of countries that a user explains, hints at those that are near, and weights that cannot be weights."""

import pandas as pd
import pytest

from wagegap.errors import CountryError, DataError, MissingValueError, OptionError
from wagegap.panel.load import read_panel

ROWS = pd.DataFrame({"c": ["Goryeo land", "USA", "Goryeo land"], "w": [1.0, 2.0, 3.0]})


def test_names_are_read_as_a_user_says():
    panel = read_panel(ROWS, country="c", country_names={"Goryeo land": "South Korea"})
    assert panel.frame["c"].tolist() == ["KOR", "USA", "KOR"]
    assert "'c' is read with 'Goryeo land' as South Korea" in str(panel.ledger)


@pytest.mark.parametrize(
    ("meant", "pieces"),
    [
        ({"Goryo land": "KOR"}, "'Goryo land' is not in 'c'. Did you mean 'Goryeo land'"),
        ({"Goryeo land": "Nowhere"}, "said to be 'Nowhere'"),
    ],
)
def test_what_a_user_says_of_names_is_checked(meant, pieces):
    with pytest.raises(CountryError, match=pieces):
        read_panel(ROWS, country="c", country_names=meant)
    with pytest.raises(OptionError, match="country_names"):
        read_panel(ROWS, country="c", country_names="keeps")


def test_the_hint_names_what_may_be_meant_and_how_to_say_it():
    with pytest.raises(CountryError, match=r"1 name in 2 of 3 rows that is no .*\{'Goryeo"):
        read_panel(ROWS, country="c")


@pytest.mark.parametrize(
    ("weights", "kind", "pieces"),
    [
        (["a", "2", "3"], MissingValueError, "missing or text in 3 of 3"),
        ([1.0, -1.0, 2.0], DataError, "negative in 1 and infinite in 0 of 3"),
    ],
)
def test_weights_that_are_none_are_refused_at_the_door(weights, kind, pieces):
    with pytest.raises(kind, match=pieces):
        read_panel(ROWS.assign(w=weights), weight="w")
    assert len(read_panel(ROWS.assign(w=[1.0, None, 2.0]), weight="w")) == 3

"""What data there are without any of one's own: shipped with the package, to be downloaded, or read from a copy."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, get_args, get_type_hints

import numpy as np
import pandas as pd

from wagegap.datasets import catalogue, downloads
from wagegap.estimation.cross_products import CrossProducts
from wagegap.estimation.estimates import Estimates
from wagegap.panel.countries import hold_countries
from wagegap.report.shipped import SHIPPED, load_shipped

__all__ = ["listed"]

_WIDTH = 100


def listed() -> str:
    """Return the list of data, as text: name, what, countries, years, unit, how a study names each."""
    blocks = ["Shipped with the package; a study names each as below."]
    blocks += [_shipped(name, loader) for name, (loader, _) in SHIPPED.items()]
    fetched = downloads()
    blocks.append('To be downloaded, by wagegap.datasets.download(NAME); then path = "..." names the file:')
    for source, group in fetched.groupby("source", sort=False):
        years = sorted(int(year) for year in group["year"].dropna())
        blocks.append(_block(", ".join(group["name"]), [
            ("what", str(source)), ("years", _span(years)), ("size", f"{group['bytes'].sum() / 1e6:,.0f} MB in all"),
            ("terms", str(group["terms"].iloc[0])),
        ]))  # fmt: skip
    blocks.append("Read from a copy of your own, below the folder that WAGEGAP_DATA names, in Python:")
    blocks += [
        _block(f"wagegap.datasets.{row['reader']}", [
            ("what", row["what"]), ("covers", row["coverage"]), ("unit", row["unit"]), ("source", row["source"]),
        ]) for row in catalogue().to_dict("records")
    ]  # fmt: skip
    return "\n\n".join(blocks)


def _shipped(name: str, loader: Callable[..., Any]) -> str:
    """A block for something shipped, from the thing itself."""
    choices = _choices(loader)
    loaded = load_shipped("datasets", f"{name}:{choices[0]}" if choices and _needs(loader) else name)
    what = inspect.getdoc(loader) or (loaded.title if isinstance(loaded, Estimates) else "")
    facts = [("what", what.split("\n\n")[0].removeprefix("Return ").replace("\n", " ")), *_facts(loaded)]
    names = [f'shipped = "{name}:{choice}"' for choice in choices] or [f'shipped = "{name}"']
    return _block(name, [*facts, ("study", " or ".join(names))])


def _choices(loader: Callable[..., Any]) -> list[str]:
    """What stands after the colon, where something must or may be chosen."""
    first = next(iter(inspect.signature(loader).parameters.values()), None)
    if first is None:
        return []
    hint = get_type_hints(inspect.unwrap(loader)).get(first.name)
    return [str(one) for one in get_args(hint)] or ["premium", "outside"]


def _needs(loader: Callable[..., Any]) -> bool:
    first = next(iter(inspect.signature(loader).parameters.values()))
    return first.default is first.empty


def _facts(loaded: Any) -> list[tuple[str, str]]:
    """Countries, years and unit of something that is shipped."""
    if isinstance(loaded, Estimates):
        units = " and ".join(dict.fromkeys(f"{row.unit} ({row.term})" for row in loaded.labels.itertuples()))
        return [*_where(loaded.labels), ("unit", units)]
    if isinstance(loaded, pd.DataFrame):
        numbers = [str(name) for name in loaded if name not in ("iso3", "year")]
        return [*_where(loaded), ("holds", ", ".join(numbers))]
    if isinstance(loaded, CrossProducts):
        return [*_where(loaded.keys if isinstance(loaded.keys, pd.DataFrame) else pd.DataFrame()), ("unit", "log")]
    return []


def _where(frame: pd.DataFrame) -> list[tuple[str, str]]:
    facts = []
    for name in frame:
        if name == "year":
            facts.append(("years", _span(sorted(frame[name].astype(int).unique().tolist()))))
        elif hold_countries(frame[[name]]):
            codes = sorted(frame[name].unique())
            facts.append(("countries", f"{len(codes)}: {', '.join(codes)}"))
    return facts


def _span(years: Sequence[int]) -> str:
    """Years, in spans where they follow each other.

    >>> _span([2015, 2016, 2019])
    '2015-2016, 2019'
    """
    runs = np.split(np.array(years, dtype=int), np.flatnonzero(np.diff(years) > 1) + 1) if years else []
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _block(name: str, facts: Sequence[tuple[str, str]]) -> str:
    lines = [name]
    for label, text in facts:
        lines += textwrap.wrap(text, _WIDTH, initial_indent=f"  {label:<10}", subsequent_indent=" " * 12) or []
    return "\n".join(lines)

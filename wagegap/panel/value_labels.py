"""Value labels of Stata and SPSS files: which codes are missing, and which columns take labels in place of codes.

A code whose label says that nothing was answered (refused, missing, don't know, no answer, not applicable, not in
universe) is missing in every column; a label must say so in all of its parts, so that refuse collectors stay an
occupation. Any labelled code of the wage is no wage, unless its label is the number itself or says that it is the top.

What remains is decided by the role of a column. Countries, fields and occupations take their labels. Wages, weights,
workers, periods, clusters, strata and columns with a unit are numbers or ids, and keep their codes. Any other column of
numbers takes its labels (categories in the order of the codes) where each of its values has one, so that groups read as
the survey has them and a formula takes it for a factor; codes 0 and 1 stay numbers, as indicators are used. A column of
which only some values are labelled keeps its numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, IntArray
from wagegap.errors import WageError, listing
from wagegap.panel.files import FileRows, plain_code
from wagegap.panel.roles import Roles

__all__ = ["LabelUse", "Labelled", "apply_labels", "says_missing"]

LabelUse: TypeAlias = Literal["auto", "labels", "codes"]
_SHOWN = 6
_DECLINED = "|".join(
    (
        r"refus(?:ed|al|es)(?: to (?:answer|say|state|respond))?",
        r"(?:system |user |item |survey )?missing(?: values?| data)?",
        r"(?:don ?t|do not|doesn ?t|does not|didn ?t) know", "dk", "dk na", "dk nr", "ref", "nr", "na", "n a",
        "iap", "niu",
        r"no (?:answer|response|reply|information|data)",
        r"not (?:applicable|available|stated|reported|asked|ascertained|specified|answered|known|determined)",
        r"not (?:in universe|codable|disclosed|released|recorded|provided|given|declared)",
        r"not in (?:the )?(?:sample|survey)",
        r"inap(?:plicable|propriate|p)?", r"(?:item )?non ?response", "unknown", "not stated or unknown",
        r"prefers? not to (?:answer|say|state|disclose|respond)", r"(?:valid |legitimate |logical )?skip(?:ped)?",
        "(?:web )?blank", r"invalid(?: (?:response|answer|code|value))?", "unspecified", "undetermined", "uncode?able",
        "suppressed", "hidden", "did not answer", "(?:question )?was not asked", "partial interview",
        r"(?:can ?t|cannot) (?:say|remember|recall)",
    )
)  # fmt: skip
"""Labels, in small letters and without punctuation, that say that nothing was answered."""
_TOP = re.compile(r"\btop|(?:or|and) (?:more|over|above)|maximum|censored|\+|more than", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows whose labels have been used.

    Attributes
    ----------
    frame : DataFrame
        Rows.
    notes : tuple of str
        What a ledger should say.
    wages : mapping of label to mask
        Rows whose wage was a code, by its label.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()
    wages: Mapping[str, BoolArray] = field(default_factory=dict)


def says_missing(label: str) -> bool:
    """Return whether a value label says that nothing was answered.

    >>> [says_missing(text) for text in ("Refused", "-9. Don't know/no answer", "Not applicable (not at work)", "NIU")]
    [True, True, True, True]
    >>> [says_missing(text) for text in ("Refuse collectors", "No degree", "None", "Unknown Soldier's Guild", "Other")]
    [False, False, False, False, False]
    """
    text = re.sub(r"^\W*\d+\W+", "", label.lower().replace("’", "'"))
    text = re.sub(r"\(.*\)|\[.*\]|:.*", "", text) or text
    parts = [re.sub(r"[^a-z]+", " ", part).strip() for part in re.split(r"[/,;&]| or | and | - | – ", text)]
    named = [part for part in parts if part]
    plain = re.sub(r"[^a-z]+", " ", text).strip()
    return bool(named) and (
        all(re.fullmatch(_DECLINED, part) for part in named) or re.fullmatch(_DECLINED, plain) is not None
    )


def apply_labels(files: Sequence[FileRows], roles: Roles, replicates: str | None, use: LabelUse) -> Labelled:
    """Put files below each other, with labels for codes where these are used, and missing codes missing.

    `replicates` is a regular expression of columns of replicate weights.

    Raises
    ------
    WageError
        Where every wage is a labelled code: bands, not amounts.
    """
    labelled = any(rows.labels or rows.missing for rows in files)
    notes = tuple(dict.fromkeys(note for rows in files for note in rows.notes))
    if not labelled:
        frame = files[0].frame if len(files) == 1 else pd.concat([rows.frame for rows in files], ignore_index=True)
        return Labelled(frame, notes)
    cleaned = [_without_missing(rows, roles) for rows in files]
    numeric = {
        roles.wage, roles.weight, roles.worker, roles.period, roles.strata, *roles.cluster, *roles.replicate_weights,
        *(name for name, _ in roles.units),
    }  # fmt: skip
    if replicates is not None:
        numeric |= {name for rows in files for name in rows.labels if re.match(replicates, name)}
    named = {roles.country, roles.field, roles.occupation} - {None}
    columns = dict.fromkeys(name for rows in files for name in rows.labels if name not in numeric or name in named)
    taking = [
        name for name in columns if all(_takes(rows, name, named, use) for rows, _ in cleaned if name in rows.frame)
    ]
    decoded = [_decoded(rows, taking, roles.country) for rows, _ in cleaned]
    frame = decoded[0] if len(decoded) == 1 else pd.concat(decoded, ignore_index=True)
    masks = _joined([found for _, found in cleaned], [len(rows.frame) for rows in files])
    _check_amounts(cleaned, roles.wage)
    return Labelled(frame, (*notes, *_notes(masks, taking, cleaned, roles)), masks.get(roles.wage or "", {}))


def _without_missing(rows: FileRows, roles: Roles) -> tuple[FileRows, dict[str, dict[str, BoolArray]]]:
    """Rows without the codes that are labelled as missing, and which rows had them."""
    found = {name: dict(masks) for name, masks in rows.missing.items()}
    changed: dict[str, pd.Series[Any]] = {}
    for name, labels in rows.labels.items():
        if name not in rows.frame:
            continue
        column = rows.frame[name]
        for code, label in labels.items():
            if not (says_missing(label) or (name == roles.wage and _is_no_wage(code, label))):
                continue
            mask = (column == code).fillna(False).to_numpy(dtype=bool)
            if mask.any() and not (name == roles.country and label.strip().upper() == "NA"):
                found.setdefault(name, {})[f"{label!r} ({plain_code(code)})"] = mask
                changed[name] = changed.get(name, column).mask(mask)
    return FileRows(rows.frame.assign(**changed), rows.labels, rows.missing, rows.notes), found


def _is_no_wage(code: Any, label: str) -> bool:
    """Whether a labelled code is no amount of pay: its label is neither that number nor the top of a scale."""
    amount = re.sub(r"[^\d.]", "", label)
    return not (amount == plain_code(code) or _TOP.search(label))


def _takes(rows: FileRows, name: str, named: set[str | None], use: LabelUse) -> bool:
    """Whether a column of a file takes its labels."""
    labels = rows.labels.get(name)
    if labels is None:
        return name in named  # another file has labels for it
    if name in named:
        return True
    values = rows.frame[name].dropna().unique()
    if use == "codes" or not len(values) or not all(value in labels for value in values.tolist()):
        return False
    numeric = pd.api.types.is_numeric_dtype(rows.frame[name]) and not set(map(float, values.tolist())) <= {0.0, 1.0}
    return (use == "labels" or numeric) and not _are_amounts(values.tolist(), labels)


def _are_amounts(codes: Sequence[Any], labels: Mapping[Any, str]) -> bool:
    """Whether labels are the numbers themselves, with one unit behind them: `1 year`, `2 years`."""
    matches = [re.fullmatch(rf"0*{re.escape(plain_code(code))}\s*([^\W\d]*)", labels[code].strip()) for code in codes]
    units = {match[1].lower().removesuffix("s") for match in matches if match is not None}
    return None not in matches and len(units) == 1 and (len(codes) > 1 or units == {""})


def _decoded(rows: FileRows, taking: Sequence[str], country: str | None) -> pd.DataFrame:
    """Labels for codes; a code without a label stays, as text, and a label of several codes names its code."""
    changed: dict[str, Any] = {}
    for name in taking:
        if name in rows.labels and name in rows.frame:
            column, labels = rows.frame[name], rows.labels[name]
            codes = sorted(column.dropna().unique().tolist())
            words = [_without_code(code, labels[code]) if code in labels else plain_code(code) for code in codes]
            places = pd.Index(codes).get_indexer(pd.Index(column))
            changed[name] = (
                np.array([*words, None], dtype=object)[places] if name == country else _categories(codes, words, places)
            )
    return rows.frame.assign(**changed)


def _categories(codes: Sequence[Any], words: Sequence[str], places: IntArray) -> pd.Categorical:
    """Categories in the order of the codes."""
    texts = [
        f"{word} ({plain_code(code)})" if words.count(word) > 1 else word
        for code, word in zip(codes, words, strict=True)
    ]
    return pd.Categorical.from_codes(places, categories=pd.Index(texts, dtype=object))


def _without_code(code: Any, label: str) -> str:
    """A label without the code that stands before it: `1. Korea` is Korea."""
    return re.sub(rf"^\W*0*{re.escape(plain_code(code))}\W+(?=\w)", "", label.strip()) or label


def _joined(
    found: Sequence[Mapping[str, Mapping[str, BoolArray]]], sizes: Sequence[int]
) -> dict[str, dict[str, BoolArray]]:
    """Masks of the rows of all files, by column and label."""
    masks: dict[str, dict[str, BoolArray]] = {}
    start, total = 0, sum(sizes)
    for size, by_column in zip(sizes, found, strict=True):
        for name, by_label in by_column.items():
            for label, mask in by_label.items():
                rows = masks.setdefault(name, {}).setdefault(label, np.zeros(total, dtype=bool))
                rows[start : start + size] = mask
        start += size
    return masks


def _check_amounts(cleaned: Sequence[tuple[FileRows, Any]], wage: str | None) -> None:
    """Raise where labelled codes are all that a wage has."""
    for rows, found in cleaned:
        if wage in rows.frame and wage in found and len(rows.frame) and rows.frame[wage].isna().all():
            example = next(iter(found[wage]))
            raise WageError(
                f"{wage!r} holds labelled codes such as {example} in all of its {len(rows.frame):,} rows, no amounts "
                "of pay: declare another column, or give the middle of each band in its place before reading."
            )


def _notes(
    masks: Mapping[str, Mapping[str, BoolArray]],
    taking: Sequence[str],
    cleaned: Sequence[tuple[FileRows, Any]],
    roles: Roles,
) -> list[str]:
    """What became of labelled codes."""
    first = [name for name in roles.declared().values() if name in masks]
    ordered = [*dict.fromkeys(first), *(name for name in masks if name not in first)]
    texts = [
        f"{name} {', '.join(f'{label} in {int(rows.sum()):,} rows' for label, rows in masks[name].items())}"
        for name in ordered
    ]
    notes = [f"missing by their value labels: {listing(texts, _SHOWN)}"] if texts else []
    if taking:
        notes.append(
            f"value labels stand in place of codes in {listing(taking, _SHOWN)} (value_labels='codes' keeps them)"
        )
    bare = _without_labels(cleaned, taking)
    if bare:
        notes.append(f"codes without a label stay as they are: {listing(bare, _SHOWN)}")
    kept = _kept(cleaned, taking)
    if kept:
        notes.append(f"labelled codes stay numbers in {listing(kept, _SHOWN)}")
    return notes


def _without_labels(cleaned: Sequence[tuple[FileRows, Any]], taking: Sequence[str]) -> list[str]:
    """Codes of decoded columns that no label explains, with their rows."""
    found: list[str] = []
    for rows, _ in cleaned:
        for name in taking:
            if name in rows.frame and name in rows.labels:
                counts = rows.frame[name].value_counts()
                found += [
                    f"{name} {plain_code(code)} in {int(n):,} rows"
                    for code, n in counts.items()
                    if code not in rows.labels[name]
                ]
    return found


def _kept(cleaned: Sequence[tuple[FileRows, Any]], taking: Sequence[str]) -> list[str]:
    """Columns with labelled values that keep their codes, with the labels in use."""
    kept: dict[str, str] = {}
    for rows, _ in cleaned:
        for name, labels in rows.labels.items():
            if name in rows.frame and name not in taking:
                values = set(rows.frame[name].dropna().unique().tolist())
                used = [f"{plain_code(code)} {label}" for code, label in labels.items() if code in values]
                if used:
                    kept.setdefault(name, f"{name} ({listing(used, 3)})")
    return list(kept.values())

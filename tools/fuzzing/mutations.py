"""Ways to spoil a call: its columns, frames, options, texts, files and nested entries, one to three ways at a time.

A mutation is a function of a random generator and a call, which it changes in place; it returns what it did, or None
where it does not apply. One that only changes the carrier of the same data says so: the result must then be the same.
"""

from __future__ import annotations

import decimal
import fractions
import gzip
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd

import wagegap as wg
from fuzzing.calls import Call, Key, shown

__all__ = ["CANARY", "Change", "spoil"]

CANARY = "canary"
"""A file that appears only where text of a call was run."""


@dataclass(frozen=True)
class Change:
    """What a mutation did; `harmless` where the data are the same in another carrier."""

    what: str
    harmless: bool = False


# columns -------------------------------------------------------------------------------------------------------------

_SAME_KINDS: dict[str, Callable[[Any], Any]] = {
    "Float64": lambda s: s.astype("Float64") if s.dtype == float else s.astype("Int64"),
    "longdouble": lambda s: s.astype(np.longdouble),
    "big-endian": lambda s: s.astype(s.dtype.newbyteorder(">")),
    "object": lambda s: s.astype(object),
    "double[pyarrow]": lambda s: s.astype("double[pyarrow]") if s.dtype == float else s.astype("int64[pyarrow]"),
    "float of whole": lambda s: s.astype(float),
}
"""Other carriers of the same numbers."""
_KINDS: dict[str, Callable[[Any], Any]] = {
    **{
        name: (lambda s, name=name: s.round().astype(name))
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint64")
    },
    "float16": lambda s: s.astype("float16"),
    "float32": lambda s: s.astype("float32"),
    "boolean": lambda s: (s > s.mean()).astype("boolean"),
    "bool": lambda s: s > s.mean(),
    "complex": lambda s: s.astype(complex) + 1j,
    "text": lambda s: s.astype(str),
    "string": lambda s: s.astype(str).astype("string"),
    "string[pyarrow]": lambda s: s.astype(str).astype("string[pyarrow]"),
    "category": lambda s: s.astype("category"),
    "ordered": lambda s: pd.Series(pd.Categorical(s, ordered=True), index=s.index),
    "unused levels": lambda s: s.astype("category").cat.add_categories(["nobody"]),
    "datetime": lambda s: pd.Series(pd.Timestamp("2020") + pd.to_timedelta(np.arange(len(s)), "D"), index=s.index),
    "datetime with zone": lambda s: pd.Series(pd.date_range("2020", periods=len(s), tz="Asia/Seoul"), index=s.index),
    "timedelta": lambda s: pd.Series(pd.to_timedelta(np.arange(len(s)), "D"), index=s.index),
    "period": lambda s: pd.Series(pd.period_range("2000", periods=len(s), freq="M"), index=s.index),
    "interval": lambda s: pd.Series(pd.interval_range(0, len(s), periods=len(s)) if len(s) else [], index=s.index),
    "sparse": lambda s: s.astype(pd.SparseDtype(float)),
    "lists": lambda s: pd.Series([[1]] * len(s), index=s.index),
    "dicts": lambda s: pd.Series([{"a": 1}] * len(s), index=s.index),
    "arrays": lambda s: pd.Series([np.arange(2)] * len(s), index=s.index),
    "mixed": lambda s: pd.Series([[1, "1", 2.5, None, True][k % 5] for k in range(len(s))], index=s.index),
    "decimals": lambda s: pd.Series([decimal.Decimal(k) for k in range(len(s))], index=s.index),
    "bytes": lambda s: pd.Series([b"\xff"] * len(s), index=s.index),
}
_VALUES: dict[str, Any] = {
    "missing": np.nan,
    "infinite": np.inf,
    "minus infinity": -np.inf,
    "huge": 1e308,
    "tiny": 1e-308,
    "zero": 0.0,
    "negative": -1.0,
    "none": None,
    "a word": "n/a",
    "an empty word": "",
    "a long word": "y" * 3000,
    "NA": pd.NA,
    "NaT": pd.NaT,
    "a list": [1],
    "a dict": {"a": 1},
}
_WHOLE: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "all missing": lambda s, r: pd.Series(np.nan, index=s.index),
    "constant": lambda s, r: pd.Series(1.0, index=s.index),
    "all zero": lambda s, r: pd.Series(0.0, index=s.index),
    "negated": lambda s, r: -s,
    "times 1e150": lambda s, r: s * 1e150,
    "times 1e-150": lambda s, r: s * 1e-150,
    "times 1e8": lambda s, r: s * 1e8,
    "permuted": lambda s, r: pd.Series(r.permutation(s.to_numpy()), index=s.index),
    "doubled": lambda s, r: pd.Series(np.repeat(s.to_numpy()[: (len(s) + 1) // 2], 2)[: len(s)], index=s.index),
    "long words": lambda s, r: pd.Series([f"{'y' * 3000}{k % 3}" for k in range(len(s))], index=s.index),
    "unicode": lambda s, r: pd.Series(["한국", "é\u0301", "\u202eabc", "\x00"][:4] * (len(s) // 4 + 1), dtype=object)[
        : len(s)
    ].set_axis(s.index),
    "every row its own word": lambda s, r: pd.Series([f"w{k}" for k in range(len(s))], index=s.index, dtype=object),
    "words of two": lambda s, r: pd.Series(np.where(np.arange(len(s)) % 2, "a", "b"), index=s.index, dtype=object),
}


def _pick(rng: np.random.Generator, options: Any) -> Any:
    options = list(options)
    return options[rng.integers(len(options))]


def _frames(call: Call) -> list[Key]:
    return [key for key, value in call.items() if isinstance(value, pd.DataFrame) and value.shape[1] and len(value)]


def _named_in(call: Call, frame: pd.DataFrame, rng: np.random.Generator) -> Any:
    """A column, four times in five one that the call names."""
    texts = " ".join(repr(value) for _, value in call.items() if not isinstance(value, pd.DataFrame))
    named = [name for name in frame if isinstance(name, str) and name in texts]
    return _pick(rng, named if named and rng.random() < 0.8 else frame.columns)


def _same_numbers(column: Any) -> bool:
    return column.dtype in (np.dtype(float), np.dtype("int64")) and not column.isna().any()


def _column(rng: np.random.Generator, call: Call) -> Change | None:
    """Another kind of column, bad values in some rows, or another content."""
    keys = _frames(call)
    if not keys:
        return None
    key = _pick(rng, keys)
    frame = dict(call.items())[key]
    if not frame.columns.is_unique or isinstance(frame.columns, pd.MultiIndex):
        return None
    name = _named_in(call, frame, rng)
    way = rng.random()
    column = frame[name]
    try:
        if way < 0.2 and _same_numbers(column):
            what = _pick(rng, _SAME_KINDS)
            changed = _SAME_KINDS[what](column)
        elif way < 0.55:
            what = _pick(rng, _KINDS)
            changed = _KINDS[what](column)
        elif way < 0.8:
            what = _pick(rng, _VALUES)
            changed = _with_values(rng, column, _VALUES[what])
        else:
            what = _pick(rng, _WHOLE)
            changed = _WHOLE[what](column, rng)
    except Exception:  # a column spoilt before that cannot become this as well
        return None
    frame = frame.copy()
    frame[name] = changed
    call.put(key, frame)
    return Change(f"column {name!r} of argument {key!r}: {what}", way < 0.2 and what in _SAME_KINDS)


def _with_values(rng: np.random.Generator, column: Any, value: Any) -> Any:
    """One value in one row, or in half of the rows."""
    values = column.astype(object).to_numpy().copy()
    rows = rng.permutation(len(values))[: 1 if rng.random() < 0.6 else max(1, len(values) // 2)]
    for row in rows:
        values[row] = value
    plain = isinstance(value, float) and pd.api.types.is_numeric_dtype(column)
    return pd.Series(values.astype(float) if plain else values, index=column.index)


# frames --------------------------------------------------------------------------------------------------------------


def _polars(frame: pd.DataFrame, rng: np.random.Generator) -> Any:
    import polars

    return polars.from_pandas(frame)


def _arrow(frame: pd.DataFrame, rng: np.random.Generator) -> Any:
    import pyarrow

    return pyarrow.Table.from_pandas(frame)


def _with_attrs(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    marked = frame.copy()
    marked.attrs["note"] = {"deep": ["kept"]}
    return marked


def _key_as_index(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return frame.set_index(str(frame.columns[rng.integers(frame.shape[1])]), drop=False)


_SAME_FRAMES: dict[str, Callable[[pd.DataFrame, np.random.Generator], Any]] = {
    "attrs": _with_attrs,
    "duplicate index": lambda f, r: f.set_index(np.zeros(len(f), dtype=int)),
    "index of text": lambda f, r: f.set_index(pd.Index([f"row {k}" for k in range(len(f))])),
    "columns in another order": lambda f, r: f[list(r.permutation(f.columns))],
    "nullable": lambda f, r: f.convert_dtypes(),
    "arrow types": lambda f, r: f.convert_dtypes(dtype_backend="pyarrow"),
    "polars": _polars,
    "pyarrow table": _arrow,
    "a further column": lambda f, r: f.assign(_more=np.nan),
    "fragments": lambda f, r: pd.concat([f.iloc[:1], f.iloc[1:]]),
}
_OTHER_FRAMES: dict[str, Callable[[pd.DataFrame, np.random.Generator], Any]] = {
    "empty": lambda f, r: f.head(0),
    "one row": lambda f, r: f.head(1),
    "two rows": lambda f, r: f.head(2),
    "ten rows": lambda f, r: f.head(10),
    "no columns": lambda f, r: f[[]],
    "rows twice": lambda f, r: pd.concat([f, f], ignore_index=True),
    "rows in another order": lambda f, r: f.iloc[r.permutation(len(f))],
    "index of two levels": lambda f, r: f.set_index([np.arange(len(f)), np.zeros(len(f))]),
    "columns of two levels": lambda f, r: f.set_axis(pd.MultiIndex.from_product([["a"], f.columns]), axis=1),
    "columns of numbers": lambda f, r: f.set_axis(range(f.shape[1]), axis=1),
    "a column twice": lambda f, r: pd.concat([f, f[[str(f.columns[r.integers(f.shape[1])])]]], axis=1),
    "a key as index too": _key_as_index,
    "a key as index": lambda f, r: f.set_index(str(f.columns[r.integers(f.shape[1])])),
    "dates as index": lambda f, r: f.set_index(pd.date_range("2020", periods=len(f))),
    "a column dropped": lambda f, r: f.drop(columns=f.columns[r.integers(f.shape[1])]),
    "a column renamed": lambda f, r: f.rename(
        columns={f.columns[r.integers(f.shape[1])]: _pick(r, ["", "a b", "`", "\u202e", "x" * 500, "np"])}
    ),
    "a dict": lambda f, r: f.to_dict("list"),
    "a list of dicts": lambda f, r: f.head(50).to_dict("records"),
    "a series": lambda f, r: f[f.columns[0]],
    "an array": lambda f, r: f.to_numpy(),
    "nothing": lambda f, r: None,
    "a list of frames": lambda f, r: [f],
}


def _frame(rng: np.random.Generator, call: Call) -> Change | None:
    keys = _frames(call)
    if not keys:
        return None
    key = _pick(rng, keys)
    frame = dict(call.items())[key]
    same = rng.random() < 0.35
    what = _pick(rng, _SAME_FRAMES if same else _OTHER_FRAMES)
    try:
        call.put(key, (_SAME_FRAMES if same else _OTHER_FRAMES)[what](frame, rng))
    except Exception:  # a frame spoilt before that cannot take this form as well
        return None
    return Change(f"frame of argument {key!r}: {what}", same)


# options -------------------------------------------------------------------------------------------------------------


def _generator() -> Iterator[int]:
    yield 1


WRONG: list[Callable[[], Any]] = [
    *(
        lambda value=value: value
        for value in (
            None,
            True,
            False,
            -1,
            0,
            1,
            2,
            7,
            0.5,
            -0.5,
            0.05,
            float("nan"),
            float("inf"),
            1e300,
            1e-300,
            1j,
            "",
            "nope",
            "ai + exper",
            "ai",
            "a'b",
            "\x00",
            "\u202eab",
            "x" * 5000,
            b"\xff",
            (),
            ("ai",),
            frozenset({"ai"}),
            range(3),
            Ellipsis,
            int,
            NotImplemented,
        )
    ),
    list,
    lambda: ["ai"],
    lambda: ["iso3", "iso3"],
    lambda: [None],
    lambda: ["nope", 3],
    lambda: [[1, 2], [3]],
    lambda: [0.1, 0.9],
    dict,
    lambda: {"a": 1},
    lambda: {"ai": "exper"},
    lambda: {None: None},
    lambda: set(),
    lambda: {"ai"},
    lambda: np.array([]),
    lambda: np.array(0.5),
    lambda: np.arange(3.0),
    lambda: np.array([["a", "b"]]),
    lambda: np.eye(2),
    lambda: np.float32(0.5),
    lambda: np.int8(1),
    lambda: np.bool_(True),
    lambda: np.str_("ai"),
    lambda: np.datetime64("2020"),
    lambda: pd.DataFrame(),
    lambda: pd.DataFrame({"a": [1]}),
    lambda: pd.Series([1.0, 2.0]),
    lambda: pd.Series(["ai"]),
    lambda: pd.Index(["ai"]),
    lambda: pd.NA,
    lambda: pd.NaT,
    lambda: pd.Timestamp("2020"),
    lambda: pd.Timedelta(1, "D"),
    lambda: pd.Interval(0, 1),
    lambda: Path("/nonexistent"),
    lambda: Path(),
    lambda: lambda x: x,
    lambda: object(),
    lambda: print,
    _generator,
    lambda: np,
    lambda: decimal.Decimal("0.5"),
    lambda: fractions.Fraction(1, 2),
    lambda: np.random.default_rng(0),
    lambda: ValueError("x"),
    lambda: wg.cov.Bootstrap(2),
    lambda: wg.cov.Conley("lat", "lon", 100.0),
    lambda: wg.cov.DriscollKraay("year", 1),
    lambda: wg.cov.NeweyWest("unit", "year", 1),
    lambda: wg.cov.Survey("psu"),
    lambda: wg.cov.Replicates(("r1",), "JK1"),
    lambda: wg.cov.Dyadic("origin", "destination"),
    lambda: "CR0:nope",
    lambda: "CR1:psu",
    lambda: "HC3",
    lambda: "iid",
    lambda: wg.datasets.published_premiums(),
]
_FOREIGN = (
    "alpha",
    "reps",
    "groups",
    "nests",
    "model",
    "trials",
    "tau2",
    "premium",
    "ax",
    "digits",
    "weigths",
    "cov_",
    "small_sample",
    "Weights",
)


def _signature(call: Call) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(call.target).parameters)
    except (TypeError, ValueError):
        return {}


def _wrong_kind(rng: np.random.Generator, call: Call) -> Change | None:
    """An argument, given or not, of a kind that it does not take."""
    names = [
        name
        for name, one in _signature(call).items()
        if one.kind is one.KEYWORD_ONLY or (one.kind is one.POSITIONAL_OR_KEYWORD and name in call.kwargs)
    ]
    given = [key for key, value in call.items() if not isinstance(value, pd.DataFrame) or rng.random() < 0.1]
    options: list[Key] = [*names, *given]
    if not options:
        return None
    key, value = _pick(rng, options), _pick(rng, WRONG)()
    call.put(key, value)
    return Change(f"argument {key!r} is {shown(value, 60)}")


def _contradiction(rng: np.random.Generator, call: Call) -> Change | None:
    """An option that the call knows, with another of its own values."""
    choices = {name: values for name, values in _literals(call).items() if values}
    if not choices:
        return None
    name = _pick(rng, choices)
    value = _pick(rng, choices[name])
    call.kwargs[name] = value
    return Change(f"option {name}={value!r}")


def _literals(call: Call) -> dict[str, list[Any]]:
    """Values that options list in their annotations, and both values of switches."""
    function = inspect.unwrap(call.target)
    try:
        hints = get_type_hints(function)
    except Exception:  # names that only a type checker can see
        hints = {}
    known = {name: _listed(hints.get(name)) for name, one in _signature(call).items() if one.kind is one.KEYWORD_ONLY}
    known |= {"weights": ["w", "pay"], "subpop": ["ai == 1", "female == 0"]} if "weights" in known else {}
    return known


def _listed(hint: Any) -> list[Any]:
    if hint is bool:
        return [True, False]
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return [value for part in get_args(hint) for value in _listed(part)]


def _keyword(rng: np.random.Generator, call: Call) -> Change | None:
    """A keyword misspelt, of another function, doubled, or lost."""
    way = rng.random()
    if way < 0.35 and call.kwargs:
        name = _pick(rng, call.kwargs)
        wrong = _typo(rng, name)
        call.kwargs[wrong] = call.kwargs.pop(name)
        return Change(f"keyword {name!r} written {wrong!r}")
    if way < 0.6:
        name = _pick(rng, _FOREIGN)
        call.kwargs[name] = _pick(rng, WRONG)()
        return Change(f"foreign keyword {name!r}")
    if way < 0.8 and call.kwargs:
        name = _pick(rng, call.kwargs)
        del call.kwargs[name]
        return Change(f"keyword {name!r} lost")
    if way < 0.9:
        call.args.append(_pick(rng, WRONG)())
        return Change("an argument too many")
    if call.args:
        call.args.pop()
        return Change("an argument too few")
    return None


# texts ---------------------------------------------------------------------------------------------------------------

_RUN = f"touch {CANARY}"
ATTACKS = (
    f"np.f2py.os.system('{_RUN}')",
    f"np.lib._npyio_impl.os.system('{_RUN}')",
    f"np.savetxt('{CANARY}', exper)",
    f"np.save('{CANARY}', 1)",
    f"exper.to_csv('{CANARY}')",
    f"exper.to_pickle('{CANARY}')",
    f"exper.values.tofile('{CANARY}')",
    f"open('{CANARY}', 'w')",
    f"exper.__class__.__init__.__globals__['__builtins__']['__import__']('os').system('{_RUN}')",
    f"{{exper.to_csv('{CANARY}') or exper}}",
    f"@pd.io.common.os.system('{_RUN}')",
    f"@np.f2py.os.system('{_RUN}') == 0",
    f"@self.frame.to_csv('{CANARY}')",
    f"@frame.to_csv('{CANARY}')",
    f"__import__('os').system('{_RUN}')",
    f"(lambda: open('{CANARY}', 'w'))()",
    f"[open('{CANARY}', 'w') for _ in [1]]",
    "`exper`.abs()",
    f"f\"{{open('{CANARY}', 'w')}}\"",
    f"=cmd|'{_RUN}'!A1",
    f"$(touch {CANARY})",
    "../../etc/passwd",
    "%s%n",
    "{0.__class__}",
)
_FRAGMENTS = (
    " + ",
    " ~ ",
    " | ",
    "(",
    ")",
    "[",
    "]",
    "**",
    "^",
    ":",
    "*",
    "-1",
    "+ 0",
    " and ",
    " or not ",
    "==",
    "=",
    "!",
    "@",
    "`",
    "'",
    '"',
    "\\",
    "\n",
    "\t",
    "\x00",
    "#",
    ";",
    ",",
    ".",
    "..",
    "log(",
    "C(",
    "lambda x: x",
    "1e999",
    "nan",
    "np.",
    "한국",
    "\u202e",
    "é",
    "if",
    "import os",
    "%",
    "&",
    "0/0",
    "nope",
)


def _typo(rng: np.random.Generator, text: str) -> str:
    """A text with one character lost, doubled, exchanged or put in."""
    if not text:
        return str(_pick(rng, _FRAGMENTS))
    at = int(rng.integers(len(text)))
    ways = (text[:at] + text[at + 1 :], text[:at] + text[at] + text[at:], text[:at] + text[at:][::-1], text.swapcase())
    changed = str(_pick(rng, ways))
    return changed if changed != text else text + "_"


def _spoilt_text(rng: np.random.Generator, text: str) -> str:
    way = rng.random()
    if way < 0.3:
        return _typo(rng, text)
    at = int(rng.integers(len(text) + 1))
    if way < 0.65:
        return text[:at] + str(_pick(rng, _FRAGMENTS)) + text[at:]
    attack = str(_pick(rng, ATTACKS))
    return str(
        _pick(
            rng,
            [
                attack,
                f"{text} + {attack}",
                f"{text} + I(exper*0 + {attack})",
                f"{text} and {attack}",
                text[:at] + attack + text[at:],
            ],
        )
    )


def _text(rng: np.random.Generator, call: Call) -> Change | None:
    keys = [key for key, value in call.items() if isinstance(value, str)]
    if not keys:
        return None
    key = _pick(rng, keys)
    changed = _spoilt_text(rng, dict(call.items())[key])
    call.put(key, changed)
    return Change(f"text of argument {key!r}: {shown(changed, 120)}")


# nested entries ------------------------------------------------------------------------------------------------------


def _entry(rng: np.random.Generator, call: Call) -> Change | None:
    """An entry of a mapping or list, at any depth: another value, lost, doubled, or under another name."""
    keys = [key for key, value in call.items() if isinstance(value, dict | list) and value]
    if not keys:
        return None
    key = _pick(rng, keys)
    value, what = _spoilt_entry(rng, dict(call.items())[key])
    call.put(key, value)
    return Change(f"entry of argument {key!r}: {what}")


def _spoilt_entry(rng: np.random.Generator, value: Any) -> tuple[Any, str]:
    places: list[Any] = list(value) if isinstance(value, Mapping) else list(range(len(value)))
    place = _pick(rng, places)
    inner = value[place]
    if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
        changed, what = _spoilt_entry(rng, inner)
        return _replaced(value, place, changed), f"{place!r} > {what}"
    way = rng.random()
    if way < 0.2:
        return _removed(value, place), f"{place!r} lost"
    if way < 0.35 and isinstance(value, Mapping):
        name = _typo(rng, str(place))
        return {name if key == place else key: one for key, one in value.items()}, f"{place!r} written {name!r}"
    if way < 0.45 and isinstance(value, list):
        return [*value, inner], f"{place!r} twice"
    changed = _spoilt_text(rng, inner) if way < 0.7 and isinstance(inner, str) else _pick(rng, WRONG)()
    return _replaced(value, place, changed), f"{place!r} is {shown(changed, 80)}"


def _replaced(value: Any, place: Any, changed: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: changed if key == place else one for key, one in value.items()}
    return [changed if key == place else one for key, one in enumerate(value)]


def _removed(value: Any, place: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: one for key, one in value.items() if key != place}
    return [one for key, one in enumerate(value) if key != place]


# files ---------------------------------------------------------------------------------------------------------------


def _file(rng: np.random.Generator, call: Call) -> Change | None:
    """The bytes of a file of the call, or of one that its study names."""
    paths = [value for _, value in call.items() if isinstance(value, Path) and value.is_file()]
    if Path("study.toml").exists():
        paths += [Path("study.toml"), Path("workers.csv")]
    if not paths:
        return None
    path = _pick(rng, paths)
    content = path.read_bytes()
    if path.suffix == ".toml" and rng.random() < 0.7:
        text = content.decode("utf-8", "replace")
        what, changed = _spoilt_study(rng, text)
        path.write_bytes(changed.encode("utf-8", "surrogatepass"))
        return Change(f"{path.name}: {what}")
    zipped = path.suffix == ".gz" and rng.random() < 0.5
    what, spoilt = _spoilt_bytes(rng, gzip.decompress(content) if zipped else content)
    path.write_bytes(gzip.compress(spoilt, mtime=0) if zipped else spoilt)
    return Change(f"bytes of {path.name}{' within' if zipped else ''}: {what}")


def _spoilt_study(rng: np.random.Generator, text: str) -> tuple[str, str]:
    """A line of a study lost, doubled, or with its value spoilt."""
    lines = text.splitlines()
    if not lines:
        return "empty", text
    at = int(rng.integers(len(lines)))
    way = rng.random()
    if way < 0.2:
        return f"line {lines[at]!r} lost", "\n".join(lines[:at] + lines[at + 1 :])
    if way < 0.3:
        return f"line {lines[at]!r} twice", "\n".join([*lines[: at + 1], *lines[at:]])
    name, _, value = lines[at].partition(" = ")
    if way < 0.65 and value:
        wrong = (
            '""',
            "3",
            "-1",
            "true",
            "[]",
            "{}",
            "1.5",
            '"nope"',
            "inf",
            "nan",
            "1979-05-27",
            '["a", 1]',
            "'\\u0000'",
            '"' + "x" * 3000 + '"',
        )
        lines[at] = f"{name} = {_pick(rng, wrong)}"
    elif value.startswith('"'):
        quoted = (
            _spoilt_text(rng, value.strip('"'))
            .replace("\\", "\\\\")
            .replace('"', '\\"')
            .replace("\n", "\\n")
            .replace("\x00", "\\u0000")
            .replace("\t", "\\t")
        )
        lines[at] = f'{name} = "{quoted}"'
    else:
        lines[at] = _spoilt_text(rng, lines[at])
    return f"line {shown(lines[at], 120)}", "\n".join(lines)


def _spoilt_bytes(rng: np.random.Generator, content: bytes) -> tuple[str, bytes]:
    n = len(content)
    at = int(rng.integers(max(n, 1)))
    ways: dict[str, Callable[[], bytes]] = {
        "empty": lambda: b"",
        f"cut at {at}": lambda: content[:at],
        f"one bit at {at}": lambda: (
            content[:at] + bytes([content[at] ^ (1 << int(rng.integers(8)))]) + content[at + 1 :]
        ),
        "thirty bytes": lambda: _scattered(rng, content, 30),
        f"a hole at {at}": lambda: content[:at] + content[at + 64 :],
        f"zeros at {at}": lambda: content[:at] + b"\x00" * 64 + content[at + 64 :],
        "two halves swapped": lambda: content[n // 2 :] + content[: n // 2],
        "twice": lambda: content + content,
        "noise": lambda: rng.bytes(200),
        "UTF-16": lambda: content.decode("latin-1").encode("utf-16"),
        "a mark before": lambda: b"\xef\xbb\xbf" + content,
        "quotes": lambda: content.replace(b",", b'",', 3),
        "semicolons": lambda: content.replace(b",", b";"),
        "old line ends": lambda: content.replace(b"\n", b"\r"),
        "a page": lambda: b"<!DOCTYPE html><title>Sign in</title>",
    }
    what = _pick(rng, ways)
    return what, ways[what]() if n else content


def _scattered(rng: np.random.Generator, content: bytes, count: int) -> bytes:
    values = bytearray(content)
    for at in rng.integers(len(values), size=count):
        values[at] = int(rng.integers(256))
    return bytes(values)


Mutation = Callable[[np.random.Generator, Call], Change | None]
_MUTATIONS: tuple[tuple[Mutation, float], ...] = (
    (_column, 4),
    (_frame, 2),
    (_wrong_kind, 4),
    (_contradiction, 1.5),
    (_keyword, 0.7),
    (_text, 2),
    (_entry, 1.5),
    (_file, 3),
)


def spoil(rng: np.random.Generator, call: Call) -> list[Change]:
    """Spoil a call one to three ways; empty where none applies to it, such as a call without arguments."""
    weights = np.array([weight for _, weight in _MUTATIONS])
    wanted, changes = int(rng.integers(1, 4)), []
    for _ in range(12):
        mutation = _MUTATIONS[rng.choice(len(_MUTATIONS), p=weights / weights.sum())][0]
        change = mutation(rng, call)
        if change is not None:
            changes.append(change)
        if len(changes) == wanted:
            break
    return changes

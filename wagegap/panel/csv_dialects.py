"""Text files of rows in the dialects of many countries: encodings, separators, decimal commas, marks of thousands.

What a file is written in is not guessed when it is read. Only what says so itself is obeyed, a byte order mark and a
first line such as `sep=;`. Everything else is comma-separated UTF-8 with decimal points until told otherwise; where the
file shows that it is not, the error says what was seen and which option reads it. `seen_dialect` gives what a file
shows, for whoever writes it down before the file is read.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray
from wagegap.errors import ColumnError, DataError, DataWarning, EmptyDataError, OptionError, listing, warn
from wagegap.panel.file_contents import open_text

__all__ = [
    "CsvDialect",
    "check_dialect",
    "check_names",
    "csv_columns",
    "number_advice",
    "number_cells",
    "read_csv",
    "seen_dialect",
]

_SEPARATORS = {",": "','", ";": "';'", "\t": r"'\t' (a tab)", "|": "'|'"}
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_SAID = re.compile(r"\ufeff?\"?sep=(.)\"?[\r\n]+")
"""A line that Excel obeys."""
_SEEN = 64_000
"""So many bytes from the beginning are looked at."""
_SHOWN = 30
_SAMPLE = 50
_FEW = 3
_GROUPS = (".", ",", "'", " ", "\u00a0", "\u202f")
_DIGITS = rf"[-+]?\d[\d{''.join(_GROUPS)}]*"
"""Numbers, however marked, and dates of digits."""
_READINGS = [(decimal, mark) for mark in (None, *_GROUPS) for decimal in ",." if decimal != mark]


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a text file is written; what is None has not been said.

    Attributes
    ----------
    encoding, sep, decimal, thousands : str, optional
        Encoding; separator of columns; decimal mark; mark between groups of three digits.
    """

    encoding: str | None = None
    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None

    @property
    def said(self) -> bool:
        """Whether anything has been said."""
        return any(getattr(self, name) is not None for name in ("encoding", "sep", "decimal", "thousands"))


def check_dialect(dialect: CsvDialect) -> None:
    """Raise `OptionError` for an encoding that Python does not know, or marks that cannot be."""
    if dialect.encoding is not None:
        try:
            codecs.lookup(dialect.encoding)
        except (LookupError, TypeError, UnicodeError) as error:
            raise OptionError(
                f"encoding={dialect.encoding!r} is not known: 'utf-8', 'cp1252' (Windows, Western Europe), 'cp949' "
                "(Korean), 'utf-16' are."
            ) from error
    for name in ("sep", "decimal", "thousands"):
        mark = getattr(dialect, name)
        if mark is not None and (not isinstance(mark, str) or len(mark) != 1):
            raise OptionError(f"{name}={mark!r} must be one character.")
    if dialect.decimal not in (None, ".", ","):
        raise OptionError(f"decimal={dialect.decimal!r} must be '.' or ','.")
    if dialect.thousands == (dialect.decimal or "."):
        raise OptionError(
            f"thousands={dialect.thousands!r} is the decimal mark: say which it is by decimal= beside it."
        )


def read_csv(
    path: str, usecols: Callable[[str], bool] | None, dialect: CsvDialect, amounts: Callable[[str], bool] | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Read a text file, and say what was done to its headings.

    A word among the numbers of a column leaves all of it text; of those that are `amounts`, the others are numbers
    still.

    Raises
    ------
    EmptyDataError, DataError, ColumnError
    """
    encoding = dialect.encoding or _mark(path) or "utf-8"
    try:
        sep, above = _separator(path, encoding, usecols, dialect)
        with open_text(path) as file:
            frame = pd.read_csv(
                file, low_memory=False, encoding=encoding, sep=sep, decimal=dialect.decimal or ".", index_col=False,
                skiprows=above, usecols=None if usecols is None else lambda name: usecols(str(name).strip()),
            )  # fmt: skip
    except UnicodeError as error:
        raise _not_encoded(path, encoding, dialect.encoding is not None) from error
    except pd.errors.ParserError as error:
        raise DataError(
            f"{path!r} cannot be read as .csv: {str(error).strip()}. Text that holds the separator must stand "
            "in quotes; another separator is given by sep=."
        ) from error
    blanks = [name for name in frame.columns if str(name) != str(name).strip()]
    frame = frame.rename(columns={name: str(name).strip() for name in blanks})
    notes = [f"blanks around the names of columns were left out: {listing(map(repr, blanks))}"] if blanks else []
    return _with_amounts(_with_groups(frame, dialect), amounts, dialect), notes


def csv_columns(path: str, dialect: CsvDialect) -> list[str]:
    """Return the headings of a text file, as `read_csv` names its columns; no further rows are read.

    Raises
    ------
    EmptyDataError, DataError, ColumnError
    """
    encoding = dialect.encoding or _mark(path) or "utf-8"
    try:
        sep, above = _separator(path, encoding, None, dialect)
        with open_text(path) as file:
            frame = pd.read_csv(file, encoding=encoding, sep=sep, index_col=False, skiprows=above, nrows=0)
    except UnicodeError as error:
        raise _not_encoded(path, encoding, dialect.encoding is not None) from error
    return [str(name).strip() for name in frame.columns]


def _separator(path: str, encoding: str, usecols: Callable[[str], bool] | None, dialect: CsvDialect) -> tuple[str, int]:
    """Separator, and how many lines stand above the names; the beginning is held against both."""
    text = _beginning(path, encoding)
    named = _SAID.match(text)
    sep = dialect.sep or ("\t" if path.lower().endswith(".tsv") else ",")
    if named is not None:
        text, sep = text[named.end() :], dialect.sep or named[1]
    elif dialect.sep is None:
        _check_separator(path, text, sep)
    header, *rows = _split(text, sep) or [[]]
    _check_width(path, header, rows)
    check_names(path, [name for name in header if usecols is None or usecols(name.strip())])
    if sep != "," and dialect.decimal is None and dialect.thousands is None:
        _warn_of_points(path, header, rows)
    return sep, 0 if named is None else 1


def seen_dialect(path: str) -> CsvDialect:
    """Return the options that read a text file, as far as it shows them; what needs none stays None.

    Raises
    ------
    EmptyDataError, DataError
    """
    marked = _mark(path)
    encoding = marked or _seen_encoding(path)
    text = _beginning(path, encoding)
    named = _SAID.match(text)
    usual = named[1] if named else "\t" if path.lower().endswith(".tsv") else ","
    text = text[named.end() :] if named else text
    split = {mark: _split(text, mark) for mark in ([usual] if named else dict.fromkeys((usual, *_SEPARATORS)))}
    sep = max(split, key=lambda mark: len(split[mark][0]) if split[mark] else 0)
    header, *rows = split[sep] or [[]]
    decimal, thousands = _seen_marks(list(_columns(rows, len(header))), sep)
    return CsvDialect(
        None if marked or encoding == "utf-8" else encoding, None if sep == usual else sep, decimal, thousands
    )


def _seen_encoding(path: str) -> str:
    """UTF-8 where it can be; else Korean where letters come in pairs of high bytes only, else Western European."""
    with open_text(path) as file:
        content = file.read()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        high = sum(byte > 0x7F for byte in content)
        paired = sum(map(len, re.findall(rb"(?:[\xa1-\xfe]{2})+", content)))
        return "cp949" if paired == high else "cp1252"
    return "utf-8"


def _seen_marks(columns: Sequence[Sequence[str]], sep: str) -> tuple[str | None, str | None]:
    """Decimal mark and mark of thousands that read every column of numbers; None where points are all there is."""
    fitting: list[tuple[str, str | None]] = list(_READINGS)
    for values in columns:
        words = pd.Series(values, dtype=object).str.strip()
        numbers = words[words.str.fullmatch(_DIGITS)]
        marked = numbers[~numbers.str.fullmatch(r"[-+]?\d+")]
        if 2 * len(numbers) > (words != "").sum():
            fitting = [pair for pair in fitting if not len(marked) or _fits_some(marked, *pair)] or fitting
    decimal, thousands = fitting[0]
    if (".", None) in fitting:
        return None, None
    if sep == "," and (".", ",") in fitting:
        decimal, thousands = ".", ","
    elif (",", None) in fitting:
        decimal, thousands = ",", None
    return decimal if decimal == "," else None, thousands


def _fits_some(marked: pd.Series[str], decimal: str, thousands: str | None) -> bool:
    """Whether all numbers of a column can be so, whether or not it has a mark of thousands."""
    return bool(marked.str.fullmatch(_pattern(decimal, thousands)).all())


def number_advice(
    column: pd.Series[Any], decimal: str = ".", thousands: str | None = None, *, among_words: bool = False
) -> str | None:
    """Return which options read a column of text as numbers, None where it is no such text.

    Text such as "10.5" is a number as it stands, unless a decimal comma has been said. Words are passed over where
    numbers may stand `among_words`.

    >>> number_advice(pd.Series(["10,5", "8", None]))
    "numbers such as '10,5': pass decimal=','"
    >>> number_advice(pd.Series(["1.200,50", "900,00"]))
    "numbers such as '1.200,50': pass decimal=',' and thousands='.'"
    >>> number_advice(pd.Series(["1,200", "900"]))
    "numbers such as '1,200': pass decimal=',' (1.2), or thousands=',' (1200)"
    >>> number_advice(pd.Series(["10,5", "n/k"]), among_words=True)
    "numbers such as '10,5': pass decimal=','"
    """
    if not _is_text(column):
        return None
    texts = column.dropna()
    words = pd.Series(dtype=object)
    looks = (texts,) if among_words else (texts.iloc[:_SAMPLE], texts)  # a few tell of most columns that they are words
    for some in looks:
        words = some.astype(object).map(partial(_written, decimal)).str.strip()
        like = words.str.fullmatch(_DIGITS).astype(bool)
        if not like.any() or not (among_words or like.all()):
            return None
        words = words[like]
    marked = words[~words.str.fullmatch(r"[-+]?\d+").astype(bool)]
    if not len(marked) or marked.str.fullmatch(_pattern(decimal, thousands)).all():
        return None
    fitting = [pair for pair in _READINGS if _fits(marked, *pair)]
    values = [f" ({_value(marked.iloc[0], *pair)})" if len(fitting) > 1 else "" for pair in fitting]
    ways = [f"{_option(*pair)}{value}" for pair, value in zip(fitting, values, strict=True)]
    return f"numbers such as {marked.iloc[0]!r}: pass {', or '.join(ways)}" if ways else None


def _written(decimal: str, value: object) -> str:
    """A cell as text; of a number with the mark that the others have."""
    return value if isinstance(value, str) else str(value).replace(".", decimal)


def number_cells(column: pd.Series[Any], decimal: str = ".", thousands: str | None = None) -> FloatArray:
    """Return the cells of a column of text that are numbers in the marks said, NaN for the others; shape (n,).

    >>> number_cells(pd.Series(["1.200,50", "8", "1.5", "n/k", None]), ",", ".").tolist()
    [1200.5, 8.0, nan, nan, nan]
    """
    words = column.where(column.map(lambda value: isinstance(value, str))).astype(object).str.strip()
    power = r"(?:[eE][-+]?\d+)?"
    pattern = rf"(?:{_pattern(decimal, thousands)}|[-+]?\{decimal}\d+){power}|[-+]?(?i:inf|infinity)"
    plain = words.where(words.str.fullmatch(pattern, na=False).astype(bool))
    if thousands is not None:
        plain = plain.str.replace(thousands, "", regex=False)
    plain = plain.str.replace(decimal, ".", regex=False)
    return np.asarray(pd.to_numeric(plain, errors="coerce").to_numpy(dtype=float, na_value=np.nan))


def _fits(marked: pd.Series[str], decimal: str, thousands: str | None) -> bool:
    """Whether all numbers can be so, and some of them have a mark of thousands where there is one."""
    used = thousands is None or marked.str.contains(thousands, regex=False).any()
    return bool(used and marked.str.fullmatch(_pattern(decimal, thousands)).all())


def _pattern(decimal: str, thousands: str | None) -> str:
    """Pattern of a number, in groups of three digits where there is a mark between them."""
    groups = "" if thousands is None else rf"|[1-9]\d{{0,2}}(?:{re.escape(thousands)}\d{{3}})+"
    return rf"[-+]?(?:\d+{groups})(?:\{decimal}\d*)?"


def _value(text: str, decimal: str, thousands: str | None) -> str:
    return f"{float(text.replace(thousands or ' ', '').replace(decimal, '.')):g}"


def _option(decimal: str, thousands: str | None) -> str:
    said = ["decimal=','"] if decimal == "," else ["decimal='.'"] if thousands is None else []
    return " and ".join([*said, *([] if thousands is None else [f"thousands={thousands!r}"])])


def _mark(path: str) -> str | None:
    """Encoding that a byte order mark names."""
    with open_text(path) as file:
        start = file.read(4)
    return next(
        (name for mark, name in sorted(_MARKS.items(), key=lambda m: -len(m[0])) if start.startswith(mark)), None
    )


def _beginning(path: str, encoding: str) -> str:
    """Text of the beginning."""
    with open_text(path) as file:
        start = file.read(_SEEN)
    if not start.strip():
        raise EmptyDataError(f"{path!r} has no rows.")
    if b"\0" in start and "16" not in encoding and "32" not in encoding:
        raise DataError(f"{path!r} holds zero bytes, as UTF-16 has: pass encoding='utf-16-le' or 'utf-16-be'.")
    return codecs.getincrementaldecoder(encoding)().decode(start)


def _split(text: str, sep: str) -> list[list[str]]:
    """Rows of text that are not blank."""
    return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=sep) if any(map(str.strip, row))]


def _columns(rows: Sequence[Sequence[str]], width: int) -> Iterator[tuple[str, ...]]:
    """Values by column, of the rows that have so many."""
    return zip(*(row for row in rows if len(row) == width), strict=True)


def _check_width(path: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Raise where the first row has more values than there are names: pandas would leave some out."""
    if rows and any(map(str.strip, rows[0][len(header) :])):
        raise DataError(
            f"{path!r} has {len(rows[0]):,} values in its first row and {len(header):,} names above them: give each "
            "column a name, or pass sep= where the separator is another (a decimal comma makes two values of one)."
        )


def _check_separator(path: str, text: str, sep: str) -> None:
    """Raise where the first line has more columns by another separator."""
    split = {mark: _split(text, mark) for mark in (sep, *_SEPARATORS)}
    counts = {mark: len(rows[0]) if rows else 0 for mark, rows in split.items()}
    best = max(counts, key=lambda mark: counts[mark])
    if best == sep or counts[best] < 2:
        return
    columns = (pd.Series(values, dtype=object) for values in _columns(split[best][1:], counts[best]))
    advice = next(filter(None, map(number_advice, columns)), "")
    first = sep.join(split[sep][0])
    seen = f"one column, named {_short(first)}" if counts[sep] == 1 else f"{counts[sep]} columns by {sep!r}"
    further = f". It also holds {advice}." if advice else f", or sep={sep!r} if it is to be read so."
    shown = _SEPARATORS.get(best, repr(best))
    raise DataError(f"{path!r} has {seen}, and {counts[best]} by {shown}: pass sep={shown.split(' ')[0]}{further}")


def _warn_of_points(path: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Warn of columns whose points may all stand between thousands, in a file that is not separated by commas."""
    odd = {}
    for name, values in zip(header, _columns(rows, len(header)), strict=False):
        pointed = [value.strip() for value in values if "." in value]
        if len(pointed) >= _FEW and all(re.fullmatch(r"[-+]?[1-9]\d{0,2}(\.\d{3})+", value) for value in pointed):
            odd[name] = pointed[0]
    if odd:
        shown = listing([f"{name!r} ({value})" for name, value in odd.items()], 4)
        warn(
            f"{path!r} has three digits behind each point of {shown}: they were read as decimals. Pass decimal=',' and "
            "thousands='.' if they are thousands, or decimal='.' if they are not.",
            DataWarning,
        )


def check_names(path: str, header: Sequence[str]) -> None:
    """Raise where several columns have one name, which pandas would tell apart by numbers of its own."""
    plain = [name.strip() for name in header]
    twice = sorted({name for name in plain if name and plain.count(name) > 1})
    if twice:
        raise ColumnError(
            f"{path!r} has {len(twice)} name{'s' if len(twice) > 1 else ''} that several columns share: "
            f"{listing(map(repr, twice))}. Rename them."
        )


def _not_encoded(path: str, encoding: str, said: bool) -> DataError:
    """The error for bytes that an encoding has not, with the first of them."""
    with open_text(path) as file:
        content = file.read()
    try:
        content.decode(encoding)
        at = 0
    except UnicodeDecodeError as error:
        at = error.start
    line = content.count(b"\n", 0, at) + 1
    around = re.split(rb"[\r\n,;\t|\"]", content[:at])[-1] + re.split(rb"[\r\n,;\t|\"]", content[at:])[0]
    western = around[:_SHOWN].decode("cp1252", errors="replace")
    other = "another encoding" if said else f"encoding='cp1252' (Windows, Western Europe: it reads {western!r})"
    further = "" if said else ", 'cp949' (Korean), or the one it was saved in"
    return DataError(
        f"{path!r} cannot be read as .csv in {encoding}: line {line:,} has the byte 0x{content[at]:02x}. Pass "
        f"{other}{further}."
    )


def _with_groups(frame: pd.DataFrame, dialect: CsvDialect) -> pd.DataFrame:
    """Columns of text that are numbers in groups of three digits, all of them, as numbers."""
    if dialect.thousands is None:
        return frame
    decimal = dialect.decimal or "."
    pattern = rf"\s*{_pattern(decimal, dialect.thousands)}\s*"
    changed = {}
    for name, column in frame.items():
        texts = column.dropna()
        if _is_text(column) and len(texts):
            words = texts.astype(str)
            if words.str.fullmatch(pattern).all():
                plain = words.str.replace(dialect.thousands, "", regex=False).str.replace(decimal, ".", regex=False)
                changed[str(name)] = pd.to_numeric(plain).reindex(column.index)
    return frame.assign(**changed)


def _with_amounts(frame: pd.DataFrame, amounts: Callable[[str], bool] | None, dialect: CsvDialect) -> pd.DataFrame:
    """Columns of amounts that words have left text: cells that are numbers as numbers, beside the words.

    Columns whose numbers are written otherwise than was said stay as they are, for `number_advice`.
    """
    decimal, changed = dialect.decimal or ".", {}
    for name, column in frame.items():
        if amounts is None or not amounts(str(name)) or not _is_text(column):
            continue
        if number_advice(column, decimal, dialect.thousands, among_words=True) is None:
            cells = number_cells(column, decimal, dialect.thousands)
            changed[str(name)] = column.astype(object).where(np.isnan(cells), pd.Series(cells, column.index, object))
    return frame.assign(**changed)


def _is_text(column: pd.Series[Any]) -> bool:
    return bool(column.dtype == object or pd.api.types.is_string_dtype(column))


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")

"""Text files and workbooks of many countries: read as told, and where not told, refused with what was seen."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pandas as pd
import pytest

from wagegap.errors import (
    ColumnError,
    DataError,
    DataWarning,
    EmptyDataError,
    MissingValueError,
    OptionError,
    UnitError,
    WageError,
)
from wagegap.panel.csv_dialects import number_advice
from wagegap.panel.load import read_panel

ROLES = dict(worker="pid", country="country", wage="wage")
ROWS = pd.DataFrame({"pid": [1, 2, 3], "country": ["Türkiye", "Korea", "France"], "wage": [10.5, 1200.25, 8.0]})


def expect(panel):
    assert panel.frame["country"].tolist() == ["TUR", "KOR", "FRA"]
    assert panel.frame["wage"].tolist() == [10.5, 1200.25, 8]


WRITTEN = [
    (dict(sep=";", decimal=","), dict(sep=";", decimal=",")), (dict(sep="\t"), dict(sep="\t")),
    (dict(sep="|"), dict(sep="|")), (dict(encoding="cp1252"), dict(encoding="cp1252")),
    (dict(encoding="latin-1", sep=";"), dict(encoding="latin-1", sep=";")), (dict(encoding="utf-8-sig"), {}),
    (dict(encoding="utf-16"), {}), (dict(encoding="utf-16-le"), dict(encoding="utf-16-le")),
    (dict(encoding="utf-32"), {}), (dict(encoding="cp1254", sep=";"), dict(encoding="cp1254", sep=";")),
    (dict(sep=";", decimal=",", encoding="utf-16"), dict(sep=";", decimal=",")), (dict(lineterminator="\r\n"), {}),
    (dict(quoting=1), {}),
]  # fmt: skip


@pytest.mark.parametrize(("how", "said"), WRITTEN)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_dialects_are_read_as_told(tmp_path, how, said, name):
    ROWS.to_csv(tmp_path / name, index=False, **how)
    expect(read_panel(tmp_path / name, **ROLES, **said))
    narrow = read_panel(tmp_path / name, **ROLES, columns=[], **said)
    assert set(narrow.frame) == {"pid", "country", "wage"}


def test_tsv_is_separated_by_tabs(tmp_path):
    ROWS.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    expect(read_panel(tmp_path / "a.tsv", **ROLES))


REFUSED = [
    (dict(sep=";"), r"one column, named 'pid;country;wage', and 3 by ';': pass sep=';'"),
    (dict(sep=";", decimal=","), r"pass sep=';'.*numbers such as '10,5': pass decimal=','"),
    (dict(sep="\t"), r"and 3 by '\\t' \(a tab\): pass sep='\\t'"), (dict(sep="|"), r"pass sep='\|'"),
    (dict(encoding="cp1252"), r"line 2 has the byte 0xfc. Pass encoding='cp1252' .*reads 'Türkiye'"),
    (dict(encoding="utf-16-le"), r"zero bytes, as UTF-16 has: pass encoding='utf-16-le'"),
]  # fmt: skip


@pytest.mark.parametrize(("how", "words"), REFUSED)
def test_what_was_seen_and_what_to_pass_is_said(tmp_path, how, words):
    ROWS.to_csv(tmp_path / "a.csv", index=False, **how)
    with pytest.raises(DataError, match=words):
        read_panel(tmp_path / "a.csv", **ROLES)


def test_another_encoding_that_is_wrong_is_said(tmp_path):
    ROWS.to_csv(tmp_path / "a.csv", index=False, encoding="cp1252")
    with pytest.raises(DataError, match=r"in cp949: line 2 has the byte|in ascii: line 2"):
        read_panel(tmp_path / "a.csv", **ROLES, encoding="ascii")


NUMBERS = [
    (["10,5", "8"], dict(sep=";"), r"'wage' is text, numbers such as '10,5': pass decimal=','"),
    (["1.200,50", "900,00"], dict(sep=";"), r"pass decimal=',' and thousands='\.'"),
    (["1.234", "900"], dict(sep=";", decimal=","), r"'\.' \(1\.234\), or decimal=',' and thousands='\.' \(1234\)"),
    (["1,200", "900"], dict(sep=";"), r"pass decimal=',' \(1\.2\), or thousands=',' \(1200\)"),
    (["1,200.50", "900"], dict(sep=";"), r"numbers such as '1,200\.50': pass thousands=','"),
    (["1 200,5", "900"], dict(sep=";"), r"pass decimal=',' and thousands=' '"),
    (["1'200.50", "900"], dict(sep=";"), r"pass thousands=\"'\""),
    (["1.200.000", "900"], dict(sep=";"), r"pass decimal=',' and thousands='\.'"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "how", "words"), NUMBERS)
def test_numbers_of_another_country_are_not_taken_for_text_or_for_others(tmp_path, values, how, words):
    path = tmp_path / "a.csv"
    path.write_text("pid;wage\n" + "".join(f"{i};{value}\n" for i, value in enumerate(values)), encoding="utf-8")
    with pytest.raises(DataError, match=words):
        read_panel(path, wage="wage", **how)
    with pytest.raises(DataError, match=words):
        read_panel(path, wage="pid", units={"wage": "currency:EUR"}, invalid_wage="missing", **how)
    with pytest.warns(DataWarning, match=r"'wage' is text, numbers such as"):
        read_panel(path, worker="pid", **how)


THOUSANDS = [
    ("1.200,50;900,00;-1.000.000", dict(decimal=",", thousands="."), [1200.5, 900, -1_000_000]),
    ("1,200.50;900;1,000,000", dict(thousands=","), [1200.5, 900, 1_000_000]),
    ("1.200;900;3", dict(decimal=",", thousands="."), [1200, 900, 3]),
    ("1 200,5;900;3", dict(decimal=",", thousands=" "), [1200.5, 900, 3]),
    ("1\u202f200,5;900;3", dict(decimal=",", thousands="\u202f"), [1200.5, 900, 3]),
    ("1'200.5;900;3", dict(thousands="'"), [1200.5, 900, 3]),
]  # fmt: skip


@pytest.mark.parametrize(("values", "how", "expected"), THOUSANDS)
def test_marks_of_thousands_are_read_as_told(tmp_path, values, how, expected):
    path = tmp_path / "a.csv"
    path.write_text("pid;x\n" + "".join(f"{i};{v}\n" for i, v in enumerate(values.split(";"))), encoding="utf-8")
    assert read_panel(path, worker="pid", sep=";", **how).frame["x"].tolist() == expected


def test_a_decimal_that_is_no_group_of_three_is_not_put_together(tmp_path):
    (tmp_path / "a.csv").write_text("pid;wage\n1;10.5\n2;1.200\n")
    with pytest.warns(DataWarning, match=r"'wage' is text, numbers such as '10\.5': pass decimal='\.'"):
        panel = read_panel(tmp_path / "a.csv", worker="pid", sep=";", decimal=",", thousands=".")
    assert panel.frame["wage"].tolist() == ["10.5", "1.200"]  # 10.5 is not 105


def test_points_between_thousands_are_asked_about(tmp_path):
    (tmp_path / "a.csv").write_text("pid;wage\n1;1.200\n2;2.500\n3;3.100\n4;900\n")
    with pytest.warns(DataWarning, match=r"three digits behind each point of 'wage' \(1\.200\).*thousands='\.'"):
        assert read_panel(tmp_path / "a.csv", wage="wage", sep=";").frame["wage"].tolist() == [1.2, 2.5, 3.1, 900]
    asked = read_panel(tmp_path / "a.csv", wage="wage", sep=";", decimal=",", thousands=".")
    assert asked.frame["wage"].tolist() == [1200, 2500, 3100, 900]
    assert read_panel(tmp_path / "a.csv", wage="wage", sep=";", decimal=".").frame["wage"].iloc[0] == 1.2


@pytest.mark.parametrize("text", ["Korea", "10.5", "2020-01-01", "1,2,3", "12,5 %", "a,b", "1.2.3"])
def test_other_text_is_no_number(text):
    assert number_advice(pd.Series([text, "8"])) is None


MALFORMED = [
    ("pid,country,wage\n1,KOR,10,5\n2,KOR,11,5\n", DataError, "4 values in its first row and 3 names.*decimal comma"),
    ("pid,country,wage\n1,KOR,10\n2,KOR,11,5\n", DataError, "Expected 3 fields in line 3, saw 4.*quotes"),
    ("pid,wage, wage\n1,2,3\n", ColumnError, "1 name that several columns share: 'wage'"),
    ("", EmptyDataError, "no rows"), ("\n\n", EmptyDataError, "no rows"),
    ("pid,country,wage\n", EmptyDataError, "no rows"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "words"), MALFORMED)
def test_malformed_files_are_refused_by_name(tmp_path, text, kind, words):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(kind, match=words):
        read_panel(tmp_path / "a.csv", wage="wage")
    with gzip.open(tmp_path / "b.csv.gz", "wt") as file:
        file.write(text)
    with pytest.raises(kind, match=words):
        read_panel(tmp_path / "b.csv.gz", wage="wage")


def test_a_shared_name_that_is_not_read_is_no_matter(tmp_path):
    (tmp_path / "a.csv").write_text("pid,wage,x,x\n1,2,3,4\n")
    assert set(read_panel(tmp_path / "a.csv", wage="wage", columns=["pid"]).frame) == {"pid", "wage"}


def test_blanks_around_names_and_quoted_lines(tmp_path):
    (tmp_path / "a.csv").write_text('pid, country ,wage,"said\nso"\n1, Korea ,10,"a;b;c\nd,e"\n')
    panel = read_panel(tmp_path / "a.csv", **ROLES)
    assert panel.frame["country"].tolist() == ["KOR"]
    assert panel.frame["said\nso"].tolist() == ["a;b;c\nd,e"]
    assert "blanks around the names of columns were left out: ' country '" in panel.ledger.notes[0]


def test_a_separator_at_the_end_of_lines_and_quoted_commas_move_no_column(tmp_path):
    (tmp_path / "a.csv").write_text("pid,country,wage\n1,KOR,10,\n2,KOR,11,\n")
    assert read_panel(tmp_path / "a.csv", **ROLES).frame["pid"].tolist() == [1, 2]
    (tmp_path / "b.csv").write_text('pid,country,wage\n1,KOR,"10,5"\n')
    assert read_panel(tmp_path / "b.csv", **ROLES, decimal=",").frame["wage"].tolist() == [10.5]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "\ufeffsep=;"])
def test_the_first_line_may_name_the_separator(tmp_path, first):
    (tmp_path / "a.csv").write_text(f"{first}\npid;country;wage\n1;KOR;10\n", encoding="utf-8")
    for how in ({}, dict(sep=";")):
        assert list(read_panel(tmp_path / "a.csv", **ROLES, **how).frame) == ["pid", "country", "wage"]


def test_one_column_is_one_column(tmp_path):
    (tmp_path / "a.csv").write_text("wage\n10\n20\n")
    assert read_panel(tmp_path / "a.csv", wage="wage").frame["wage"].tolist() == [10, 20]
    (tmp_path / "b.csv").write_text("a;b\n10\n20\n")
    assert read_panel(tmp_path / "b.csv", sep=",").frame["a;b"].tolist() == [10, 20]


BAD_OPTIONS = [
    (dict(encoding="utf-88"), "'cp1252'"), (dict(sep=";;"), "one character"), (dict(decimal=";"), "must be '.' or ','"),
    (dict(thousands="."), "is the decimal mark"), (dict(decimal=",", thousands=","), "is the decimal mark"),
    (dict(sep=5), "one character"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "words"), BAD_OPTIONS)
def test_dialects_that_cannot_be_are_refused(tmp_path, options, words):
    ROWS.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(OptionError, match=words):
        read_panel(tmp_path / "a.csv", **ROLES, **options)


# workbooks -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def workbook(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "a.xlsx"
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        ROWS.to_excel(book, sheet_name="2020", index=False)
        ROWS.assign(wage=ROWS["wage"] * 2).to_excel(book, sheet_name="2021", index=False)
    return path


def test_the_sheet_that_is_read_is_said(workbook):
    panel = read_panel(workbook, **ROLES)
    expect(panel)
    assert "sheet '2020' is read, the first of 2; others: 2021 (sheet=)" in panel.ledger.notes[0]
    for sheet in ("2021", 1):
        other = read_panel(workbook, **ROLES, sheet=sheet)
        assert other.frame["wage"].iloc[0] == 21
        assert other.ledger.notes == ()
    with pytest.raises(OptionError, match=r"sheet='2022' is no sheet.*There are: 2020, 2021"):
        read_panel(workbook, **ROLES, sheet="2022")


def test_numbers_dates_and_names_of_a_workbook(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "a.xlsx"
    ROWS.assign(wage=["10,5", "8", "9"], born=pd.Timestamp("1990-01-01")).to_excel(path, index=False)
    with pytest.raises(DataError, match=r"'wage' is text, numbers such as '10,5'"):
        read_panel(path, **ROLES)
    assert read_panel(path, worker="pid", columns=["born"]).frame["born"].dt.year.tolist() == [1990] * 3
    shared = ROWS.assign(more=1.0).set_axis(["pid", "country", "wage", "wage"], axis=1)
    shared.to_excel(path, index=False)
    with pytest.raises(ColumnError, match="1 name that several columns share: 'wage'"):
        read_panel(path, **ROLES)


# words among numbers -------------------------------------------------------------------------------------------------


def _german_file(path, cell, *, grouped=False, column="Lohn"):
    pay = np.exp(np.random.default_rng(5).normal(8, 1, 301))
    written = [
        f"{x:,.2f}".translate(str.maketrans(",.", ".,")) if grouped else f"{x:.2f}".replace(".", ",") for x in pay
    ]
    written[7] = cell
    other = "gew" if column == "Lohn" else "Lohn"
    path.write_text(
        f"id;{column};{other}\n" + "\n".join(f"{i};{x};1,5" for i, x in enumerate(written)), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("word", ["k.A.", ".", "-"])
def test_a_word_among_the_pay_is_the_only_wage_that_is_none(tmp_path, word, grouped):
    marks = {"sep": ";", "decimal": ",", "thousands": "." if grouped else None}
    path = _german_file(tmp_path / "pay.csv", word, grouped=grouped)
    with pytest.raises(WageError, match=rf"in 1 of 301 rows \(1 text\); the first are row 7: {re.escape(repr(word))}"):
        read_panel(path, wage="Lohn", **marks)
    empty = _german_file(tmp_path / "empty.csv", "", grouped=grouped)
    for invalid in ("missing", "drop"):
        panel = read_panel(path, wage="Lohn", invalid_wage=invalid, **marks)
        same = read_panel(empty, wage="Lohn", invalid_wage=invalid, **marks)
        pd.testing.assert_frame_equal(panel.frame, same.frame)
        assert [note.replace("text", "missing") for note in panel.ledger.notes] == list(same.ledger.notes)


def test_marks_that_were_not_said_are_named_though_words_stand_among_the_numbers(tmp_path):
    path = _german_file(tmp_path / "pay.csv", "k.A.", grouped=True)
    with pytest.raises(DataError, match=r"'Lohn' is text, numbers such as '.*': pass decimal=',' and thousands='.'"):
        read_panel(path, wage="Lohn", sep=";", decimal=",", invalid_wage="missing")
    plain = _german_file(tmp_path / "plain.csv", "k.A.")
    with pytest.raises(DataError, match=r"'Lohn' is text, numbers such as '.*': pass decimal=','"):
        read_panel(plain, wage="Lohn", sep=";", invalid_wage="missing")


def test_a_decimal_point_among_decimal_commas_is_text(tmp_path):
    path = _german_file(tmp_path / "pay.csv", "12.5")
    with pytest.raises(WageError, match=r"in 1 of 301 rows \(1 text\); the first are row 7: '12.5'"):
        read_panel(path, wage="Lohn", sep=";", decimal=",")


def test_words_among_weights_and_shares_are_counted_alone(tmp_path):
    path = _german_file(tmp_path / "pay.csv", "k.A.", column="gew")
    marks = {"sep": ";", "decimal": ",", "wage": "Lohn"}
    with pytest.raises(MissingValueError, match="weights 'gew' are missing or text in 1 of 301 rows"):
        read_panel(path, weight="gew", **marks)
    with pytest.raises(UnitError, match="'gew', declared as share, is text in 1 of 301 rows"):
        read_panel(path, units={"gew": "share"}, **marks)

"""Attacks, the doors that take text, and a watch that sees what a call does besides.

`python attacks.py GROUP [START]` tries every attack at every door of a group, in the current folder, which holds what
`lay_out` puts there, and prints a line of JSON before and after each try. `test_attacks.py` runs it in a process of its
own: a hook of the interpreter sees files, processes, sockets, pickles and foreign code, and cannot be taken off again.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import json
import os
import pickle
import sys
import sysconfig
import time
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import wagegap as wg
from wagegap.errors import WagegapError

SHELL = "echo > canary"
SECRET = "a line that nobody asked for"


@dataclass(frozen=True)
class Attack:
    """A text, and the engine in which it does harm: "python", "pandas", "formulaic", or none."""

    text: str
    engine: str = ""

    @property
    def name(self) -> str:
        """The text, shortened."""
        return self.text if len(self.text) <= 90 else f"{self.text[:40]}...{self.text[-20:]} ({len(self.text):,})"


def live(engine: str, *texts: str) -> list[Attack]:
    return [Attack(text, engine) for text in texts]


# attacks -------------------------------------------------------------------------------------------------------------

MODULES = live(
    "python",
    f"np.f2py.os.system('{SHELL}')",
    f"exper*0 + np.f2py.os.system('{SHELL}')",
    f"np.ctypeslib.os.system('{SHELL}')",
    f"np.lib._npyio_impl.os.system('{SHELL}')",
    f"np.lib._datasource.os.system('{SHELL}')",
    f"np.testing._private.utils.os.popen('{SHELL}').read()",
    f"np.testing._private.utils.os.system('{SHELL}')",
    "np.f2py.os.mkdir('canary')",
    "np.f2py.os.remove('secret.txt')",
    "np.f2py.os.rename('secret.txt', 'canary')",
    "np.f2py.os.listdir('.')",
    "np.f2py.os.environ.update(CANARY='1')",
    "np.f2py.os.chdir('..')",
    "np.f2py.sys.modules['os'].mkdir('canary')",
    "np.load('bait.npy', allow_pickle=True)",
    "np.load('secret.npy')",
    "np.load('bait.npz', allow_pickle=True)['arr_0']",
    "np.fromfile('secret.txt', dtype='u1')",
    "np.loadtxt('secret.txt', dtype=str)",
    "np.genfromtxt('secret.txt', dtype=str)",
    "np.memmap('canary', mode='w+', shape=(1,))",
    "np.save('canary', exper)",
    "np.savez('canary', exper)",
    "np.savez_compressed('canary', exper)",
    "np.savetxt('canary', exper)",
    "np.lib.format.open_memmap('canary', mode='w+', shape=(1,))",
    "np.lib.npyio.DataSource('.').open('secret.txt').read()",
    "np.vectorize(open)(['canary'], 'w')",
    "np.frompyfunc(exec, 1, 1)(\"open('canary', 'w')\")",
    "np.apply_along_axis(lambda v: open('canary', 'w').write('x'), 0, exper)",
    "np.piecewise(exper, [exper > 0], [lambda v: open('canary', 'w').write('x')])",
    "np.random.seed(0)",
    "np.seterr(all='raise')",
    "np.put(exper.values, 0, 99) or exper",
    "np.copyto(exper.values, 0) or exper",
    "np.log(exper, out=exper.values)",
    "np.add.at(exper.values, 0, 99)",
)
COLUMNS = live(
    "python",
    "exper.to_csv('canary')",
    "exper.to_pickle('canary')",
    "exper.to_json('canary')",
    "exper.to_string('canary')",
    "exper.to_frame().to_html('canary')",
    "exper.to_frame().to_parquet('canary')",
    "exper.values.tofile('canary')",
    "exper.values.dump('canary')",
    "exper.to_numpy().tofile('canary')",
    "exper.array._ndarray.tofile('canary')",
    "exper.agg('to_csv', path_or_buf='canary')",
    "exper.pipe(lambda s: s.to_csv('canary'))",
    "exper.apply(lambda v: open('canary', 'w'))",
    "exper.map(lambda v: open('canary', 'w'))",
    "exper.values.fill(0) or exper",
    "exper.update(exper * 0) or exper",
    "exper.__setitem__(0, 99) or exper",
    f"exper.__class__.__init__.__globals__['__builtins__']['__import__']('os').system('{SHELL}')",
    "exper.__init__.__globals__['sys'].modules['os'].mkdir('canary')",
    "exper.isna.__globals__['sys'].modules['os'].mkdir('canary')",
    "exper.between.__func__.__globals__['sys'].modules['os'].mkdir('canary')",
    "field.str.replace('c', lambda m: open('canary', 'w').name)",
    "exper.isin(open('secret.txt'))",
    "exper.between(1, open('canary', 'w').write('x'))",
)
LANGUAGE = live(
    "python",
    "open('canary', 'w')",
    "open('secret.txt').read()",
    f"__import__('os').system('{SHELL}')",
    f"__builtins__['__import__']('os').system('{SHELL}')",
    "eval(\"open('canary', 'w')\")",
    "exec(\"open('canary', 'w')\")",
    "exec(compile(\"open('canary', 'w')\", 'x', 'exec'))",
    "getattr(exper, 'to_csv')('canary')",
    "vars()['exper'].to_csv('canary')",
    "print(1, file=open('canary', 'w'))",
    "(lambda: open('canary', 'w'))()",
    "[open('canary', 'w') for _ in [1]]",
    "{open('canary', 'w') for _ in [1]}",
    "{1: open('canary', 'w') for _ in [1]}",
    "sum(open('canary', 'w').write('x') for _ in [1])",
    "(found := open('canary', 'w'))",
    "f\"{open('canary', 'w')}\"",
    "f'{exper.to_csv(\"canary\")}'",
    "'{}'.format(open('canary', 'w'))",
    "'%s' % open('canary', 'w')",
    "''.join([open('canary', 'w').name])",
    "exper if open('canary', 'w') else exper",
    "1 and open('canary', 'w')",
    "0 or open('canary', 'w')",
    "1 < 2 < open('canary', 'w').write('xxx')",
    "1 in [open('canary', 'w')]",
    "[exper, open('canary', 'w')][0]",
    "exper[open('canary', 'w').write('x')]",
    "max(*[1, open('canary', 'w').write('x')])",
    "max(1, **{'key': open('canary', 'w')})",
    "abs(**{'x': open('canary', 'w')})",
    "abs(open('canary', 'w').write('x'))",
    "round(1.5, open('canary', 'w').write('x'))",
    "min([open('canary', 'w').write('x')], key=abs)",
    "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'catch_warnings'][0]()"
    "._module.__builtins__['open']('canary', 'w')",
    "[c for c in (1).__class__.__base__.__subclasses__() if c.__name__ == 'Popen' or c.__name__ == '_wrap_close'][0]"
    f".__init__.__globals__['system']('{SHELL}')",
    "print.__self__.open('canary', 'w')",
    "{}.__class__.__base__.__subclasses__()[0].__class__.__call__(open, 'canary', 'w')",
    "(exper @ exper) * open('canary', 'w').write('x')",
    "open(file='canary', mode='w')",
    "ｏｐｅｎ('canary', 'w')",
    "𝑒𝑥𝑒𝑐(\"open('canary', 'w')\")",
    "ｅｘｐｅｒ.ｔｏ_ｃｓｖ('canary')",
    "exper\\\n.to_csv('canary')",
    "exper \t. \x0c to_csv ( 'canary' )",
    "open('can' 'ary', 'w')",
    "open('\\x63anary', 'w')",
    "open(b'canary', 'w')",
    "open(rb'canary', 'w') # a comment",
)
STATEMENTS = [
    Attack(text)
    for text in (
        "exper\nimport os", "exper; import os", "import os", "exper = 1", "exper += 1", "del exper", "assert 0",
        "class X: pass", "def f(): pass", "await exper", "yield exper", "(yield)", "async", "lambda: 0", "lambda x: x",
        "exper)\nopen('canary', 'w'", "exper) + open('canary', 'w').write(('x')", "exper # comment",
        "# -*- coding: utf-7 -*-", "exper \\\n + age", "exper\\", "global exper", "return 1", "raise",
        "from os import system", "with open('canary'): pass", "pass", "...", "exper...", "exper[0]", "exper[::2]",
        "exper[exper]", "*exper", "**exper", "log(*exper)", "log(**exper)", "log(x=exper)", "exper @ age", "exper << 3",
        "1 << 10**9", "exper -> age", "exper := 1", "exper ? age", "exper ! age", "exper $ age", "log.__globals__",
        "log.__class__", "np", "np.log", "np.f2py", "np.nan", "np.e", "C", "contr", "contr.treatment", "__class__",
        "exper.__class__", "exper.values", "exper.sum()", "exper.mean", "pd", "@pd", "log", "log()", "log(exper)(age)",
        "log(exper).sum()", "log(exper)[0]", "(exper).sum()", "'a'.upper()", "1 .real", "(1).real", "1..real",
        "''.join('a')", "'a' 'b'", "b'a'", "r'a'", "u'a'", "f'{exper}'", "'''a'''", "'", '"', "`", "'a", "`exper",
        "exper`", "``", "`exper` `age`", "`a``b`", "{", "}", "{}", "{exper", "exper}", "{exper}}", "{{exper}}", "[",
        "]", "()", "[]", "[exper]", "[exper ~ age]", "(exper,)", ",", "exper age", "exper 1", "1 exper", "exper(",
        "log(exper", "log exper)", "exper + ", "exper ++", "== exper", "exper ==", "and", "not", "in", "is", "None",
        "exper is 1", "exper in", "1j*exper", "0x1F*exper", "1__0", "1e", "exper′", "exper − age", "exper\u200b",
        "exper\u202e", "\ufeffexper\ufeff", "ехper", "exper\0", "\0", "exper\x1b[31m", "\ud800", "exper\ud800",
        "{{7*7}}", "${exper}", "%(exper)s", "exper % 'a'", "%s%s%n", "<script>", "exper<!--", "1;DROP TABLE x",
        "' or 1=1 --", "../../etc/passwd", "=cmd|'/C calc'!A0", "@SUM(1)", "\\input{/etc/passwd}", "$(echo > canary)",
        "`echo > canary`", "| echo > canary", "&& echo > canary", "; echo > canary", "http://127.0.0.1:9/x",
    )
]  # fmt: skip
ENGINE = [
    *live(
        "formulaic",
        "{exper.to_csv('canary') or exper}",
        "{open('canary', 'w').write('x') + exper}",
        "I(open('canary', 'w'))",
        "I(exper.to_csv('canary'))",
        "C(field, levels=exper.to_csv('canary'))",
        "C(field, contr.custom(open('canary', 'w')))",
        "C(field, contr.custom.__init__.__globals__['__builtins__']['open']('canary', 'w'))",
        "C(field, spans_intercept=open('canary', 'w').write('x'))",
        "Q(open('canary', 'w').name)",
        "bs(exper, df=open('canary', 'w').write('xxxx'))",
        "poly(exper, open('canary', 'w').write('x'))",
        "lag(exper, open('canary', 'w').write('x'))",
        "center(exper, **{'x': open('canary', 'w')})",
        "hashed(field, levels=open('canary', 'w').write('xxxx'))",
        "hashed(field, levels=3, hash_func=lambda v: open('canary', 'w').write('x'))",
        "{bs.__globals__['sys'].modules['os'].mkdir('canary')}",
        "{scale.__wrapped__.__globals__['sys'].modules['os'].mkdir('canary')}",
        "{contr.__class__.__base__.__subclasses__.__self__ and open('canary', 'w').write('x')}",
        "`exper` + {`exper`.to_csv('canary') or 1}",
        "exper:{open('canary', 'w').write('x')}",
        "exper*{exper.to_csv('canary') or exper}",
        "({exper.to_csv('canary') or exper} + age)**2",
    ),
    *live(
        "pandas",
        f"@pd.io.common.os.system('{SHELL}')",
        f"@pd.io.common.os.system('{SHELL}') == 0",
        f"ai == 1 or @np.f2py.os.system('{SHELL}') == 0",
        "@pd.read_pickle('bait.pkl')",
        "@pd.read_csv('secret.txt')",
        "@np.load('bait.npy', allow_pickle=True)",
        "@self.frame.to_csv('canary')",
        "@frame.to_csv('canary')",
        "exper.to_csv('canary') == 1",
        "`exper`.to_csv('canary')",
        "exper.to_numpy().tofile('canary')",
        "exper.isin(@pd.read_csv('secret.txt'))",
        "(exper.isna()).to_csv('canary')",
        "found = @pd.read_pickle('bait.pkl')",
        "exper.values.tofile('canary')\nai == 1",
    ),
    *(
        Attack(text)
        for text in (
            "hashed(field, levels=5)", "Q('exper')", ".", "exper + .", "C(field, contr.custom([[1, 2]]))", "TRANSFORMS",
            "exp10(exper)", "@open", "@__builtins__", "@frame", "@self", "@np.e", "@pd", "C(field, object)",
            "C(field, contr.__class__)", "contr.treatment(base=1)", "Treatment('law')", "C(contr.treatment)",
            "bs(exper, df='a')", "poly(exper, degree=field)", "I(exper, age)", "I()", "C()",
            "offset()", "i(exper, ref=open)", "isna(log)", "exper.isna", "exper.isna(1, 2, 3)",
            "exper.isin(exper.values)", "exper.between()", "exper.between(1)", "exper.astype('int')",
            "exper.isna().sum()", "exper.str.len()", "field.dt.year",
        )
    ),
]  # fmt: skip
BOMBS = [
    Attack(text)
    for text in (
        "9**9**9**9", "exper**9**9**9", "I(9**9**9**9)", "I(exper**(9**9**9))", "2**2**2**2**2**2",
        "10**10**10 == exper", "'a'*10**9", "'a'*10**9 == field", "field*10**9", "I('a'*10**9)", "-9**9**9",
        "1e999999*exper", "exper**1000000", "(exper + age)**1000000", "(exper + age + z + x)**99999999999",
        f"({'+'.join(f'I(exper+{i})' for i in range(40))})**20", "*".join(f"I(exper+{i})" for i in range(40)),
        "/".join(f"I(exper+{i})" for i in range(3000)), "poly(exper, 1000000000)", "bs(exper, df=1000000000)",
        "cr(exper, df=1000000000)", "bs(exper, df=9, degree=1000000)", "lag(exper, 10**18)",
        "lag(exper, 99999999999999999999)", "round(exper, 10**9)", "round(exper, 999999999999999)", "9" * 100_000,
        f"exper + {'9' * 5000}", f"exper == {'9' * 5000}", f"0.{'9' * 100_000}", f"1e{'9' * 5000}",
        "(" * 10_000 + "exper" + ")" * 10_000, "(" * 100_000, ")" * 100_000, "[" * 10_000,
        "{" * 10_000 + "exper" + "}" * 10_000, "log(" * 10_000 + "exper" + ")" * 10_000, "-" * 100_000 + "exper",
        "+" * 100_000 + "exper", "~" * 100_000 + "ai", "not " * 50_000 + "ai", "exper" + "**exper" * 20_000,
        "exper" + ":exper" * 50_000, "exper." * 50_000 + "exper", "exper" + "==exper" * 20_000,
        "ai" + " and ai" * 50_000, "ai" + "|ai" * 50_000, "exper" + "^2" * 20_000, "exper in [" + "1," * 100_000 + "1]",
        "exper in " + "[" * 5_000 + "1" + "]" * 5_000, "a" * 1_000_000, f"'{'a' * 1_000_000}'", f"`{'a' * 1_000_000}`",
        "`" * 100_001, "'" * 100_001, " " * 1_000_000 + "@", "\n" * 300_000 + "@", "exper + " + "\\" * 100_000,
        "=" * 100_000, "!" * 100_000, "." * 100_000, "," * 100_000, "%in%" * 20_000, "1." * 50_000, "1e" * 50_000,
        "\u200b" * 100_000, "offset(" * 10_000, "exper~" * 10_000, "~" * 10_000, "exper|" * 10_000 + "@",
    )
]  # fmt: skip
ATTACKS = [*MODULES, *COLUMNS, *LANGUAGE, *STATEMENTS, *ENGINE, *BOMBS]
"""Texts that are refused wherever a text is read."""

ODD_FILES = (
    "$(echo > canary).csv", "`echo > canary`.csv", "; echo > canary #.csv", "& echo canary.csv", "a'b\"c.csv",
    "<script>.csv", "=cmd.csv", "-rf.csv", "new\nline.csv", "{0.__class__}.csv", "%s%n.csv", "été.csv", "\u202e.csv",
    " .csv", "--output=x.csv",
)  # fmt: skip
"""Names that a file may bear: it is read, and nothing else happens."""
PATHS = [
    Attack(path)
    for path in (
        "bait.pkl", "bait.npy", "bait.npz", "secret.txt", "secret.npy", "pickle.csv", "pickle.csv.gz", "pickle.tsv",
        "pickle.parquet", "pickle.dta", "pickle.sav", "pickle.xlsx", "entities.xlsx", "pipe.csv", "zero.csv",
        "folder.csv", "", ".", "..", "/", "/dev/zero", "/dev/stdin", "/dev/tcp/127.0.0.1/9", "/etc/passwd",
        "../../../../../../etc/passwd", "~/.ssh/id_rsa", "file:///etc/passwd", "http://127.0.0.1:9/x.csv",
        "https://127.0.0.1:9/x.csv", "ftp://127.0.0.1:9/x.csv", "s3://bucket/x.csv", "gs://bucket/x.parquet",
        "memory://x.csv", "zip://x.csv::workers.csv", "\\\\server\\share\\x.csv", "workers.csv\0", "workers.csv\0.txt",
        "\0", "| echo > canary", "|echo > canary.csv", "$(echo > canary)", "x\ud800.csv", "a" * 5000 + ".csv",
        "a/" * 5000 + ".csv", "*/../" * 40 + "x.csv", "[" * 1000 + ".csv", "*" * 3000 + "a*" * 40 + "x.csv",
        "nothing*.csv", "sqlite:///x.csv", "data:text/csv,a", "CON", "workers.csv/", "workers.csv/../workers.csv/x.csv",
        "import os", "__import__('os').system('echo > canary')", "{0.__class__}", "<script>alert(1)</script>",
        "jar:file:workers.csv", "-", "--help", "-o", "workers.csv;bait.pkl", "workers.csv,bait.pkl", "1",
        "bait.pkl\n.csv",
    )
]  # fmt: skip
"""Names of files that are no file of rows, or none that is read."""


# what the attacks find ------------------------------------------------------------------------------------------------


class Bait:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("canary",)


def lay_out(folder: Path) -> None:
    """Put pickles, a secret, odd files and a table of workers into a folder."""
    pickled, array = pickle.dumps(Bait()), np.array([None], dtype=object)
    array[0] = Bait()
    np.save(folder / "bait.npy", array, allow_pickle=True)
    np.savez(folder / "bait.npz", array)
    np.save(folder / "secret.npy", np.ones(3))
    (folder / "secret.txt").write_text(SECRET, encoding="utf-8")
    for name in ("bait.pkl", *(f"pickle.{kind}" for kind in ("csv", "tsv", "parquet", "dta", "sav", "xlsx"))):
        (folder / name).write_bytes(pickled)
    (folder / "pickle.csv.gz").write_bytes(gzip.compress(pickled))
    with zipfile.ZipFile(folder / "entities.xlsx", "w") as book:
        book.writestr("[Content_Types].xml", _ENTITIES)
        book.writestr("xl/workbook.xml", _ENTITIES)
    rows = workers().to_csv(index=False)
    for name in ("workers.csv", *(ODD_FILES if os.name == "posix" else ())):
        (folder / name).write_text(rows, encoding="utf-8")
    (folder / "folder.csv").mkdir()
    if os.name == "posix":
        os.mkfifo(folder / "pipe.csv")
        (folder / "zero.csv").symlink_to("/dev/zero")


_TEN = 10 * "&a{0};"
_ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "lol">'
    + "".join(f'<!ENTITY a{i} "{_TEN.format(i - 1)}">' for i in range(1, 10))
    + '<!ENTITY file SYSTEM "secret.txt">]><x>&a9;&file;</x>'
)
"""XML that would grow to gigabytes, and one that reads another file."""


def workers() -> pd.DataFrame:
    """Workers of three countries over three years, with all that any door asks for."""
    rng, n = np.random.default_rng(0), 240
    i = np.arange(n)
    frame = pd.DataFrame(
        {
            "pid": i // 3, "year": 2020 + i % 3, "iso3": np.array(["FRA", "KOR", "USA"])[(i // 3) % 3],
            "ai": rng.integers(2, size=n), "female": rng.integers(2, size=n), "educ": rng.integers(3, size=n),
            "exper": rng.integers(1, 30, size=n) * 1.0, "age": rng.integers(25, 60, size=n) * 1.0,
            "x": rng.normal(size=n), "z": rng.normal(size=n), "w": rng.random(n) + 0.5, "psu": rng.integers(30, size=n),
            "field": np.array(["art", "cs", "law"])[rng.integers(3, size=n)], "leaves": rng.integers(2, size=n),
            "moves": rng.poisson(3, size=n), "trials": 5, "gap": np.where(rng.random(n) < 0.1, np.nan, 1.0),
        }
    )  # fmt: skip
    error = rng.normal(size=n)
    frame["pay"] = np.exp(2 + 0.2 * frame["ai"] + 0.01 * frame["exper"] + 0.4 * error)
    frame["works"] = (frame["z"] + error + rng.normal(size=n) > -0.5).astype(int)
    frame["paid"] = frame["pay"].where(frame["works"] == 1)
    frame["next_field"] = frame["field"].to_numpy()[rng.permutation(n)]
    return frame


@functools.cache
def panel() -> wg.Panel:
    """The workers, with their roles."""
    return wg.read_panel(workers(), worker="pid", country="iso3", period="year", wage="pay")


@functools.cache
def cells() -> Any:
    """Two rates and a premium for thirty countries, and covariates."""
    rng = np.random.default_rng(1)
    keys = [f"C{i:02}" for i in range(30)]
    both = pd.DataFrame({"iso3": keys, "b": rng.normal(0.2, 0.1, 30), "se": 0.02})
    shares = [both.assign(b=rng.normal(0.1, 0.02, 30), term=term) for term in ("leaving", "switching")]
    rates = wg.Estimates.from_table(pd.concat(shares), term="term")
    data = pd.DataFrame({"iso3": keys, "exper": rng.random(30) + 1, "age": rng.random(30) + 1, "z": rng.random(30)})
    return rates, wg.Estimates.from_table(both), data.assign(x=data["age"] * 2, field=["cs", "law", "art"] * 10)


@functools.cache
def choosers() -> pd.DataFrame:
    """Eighty choosers of three places."""
    rng = np.random.default_rng(3)
    frame = pd.MultiIndex.from_product([range(80), ["us", "kr", "de"]], names=["who", "place"]).to_frame(index=False)
    frame = frame.assign(exper=rng.normal(size=240) + 5, age=rng.random(240), z=rng.random(240), x=rng.random(240))
    utility = frame["exper"] + rng.gumbel(size=240)
    return frame.assign(took=(utility == utility.groupby(frame["who"]).transform("max")).astype(int))


# doors ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Door:
    """A call with a text in it, and a text that it takes.

    `around` is what an attack is put into. The doors that share a reader share the attacks on it, of which each
    meets one in `every`.
    """

    call: Callable[[str], Any]
    innocent: str | None
    around: str = "TEXT"
    every: int = 6


def _doors(calls: dict[str, tuple[Any, ...]], *whole: str) -> dict[str, Door]:
    """Doors by name; those in `whole` meet every attack."""
    return {name: Door(*parts, every=1) if name in whole else Door(*parts) for name, parts in calls.items()}


def formulas() -> dict[str, Door]:
    """Formulas: either side, wherever one is asked for."""
    rates, premiums, data = cells()

    def linear(text: str, **options: Any) -> Any:
        return wg.fit_linear(panel(), text, **options)

    def premium(text: str, **options: Any) -> Any:
        return wg.fit_premiums(panel(), text, premium="ai", by=[], **options)

    def gap(door: Callable[..., Any]) -> Callable[[str], Any]:
        return lambda text: door(panel(), text, group="female")

    def link(text: str) -> Any:
        return wg.fit_link(text, rates, premiums, data=data, method="ols")

    def selected(text: str) -> Any:
        return wg.fit_selection(panel(), "log(paid) ~ ai", selection=text)

    calls = {
        "premiums, left": (premium, "exper", "TEXT ~ ai"),
        "premiums, right": (premium, "exper", "log(pay) ~ ai + TEXT"),
        "premiums, first": (premium, "exper", "log(pay) ~ TEXT + ai"),
        "premiums, in I": (premium, "exper", "log(pay) ~ ai + I(TEXT)"),
        "premiums, in log": (premium, "exper", "log(pay) ~ ai + log(TEXT)"),
        "premiums, in C": (premium, "educ", "log(pay) ~ ai + C(TEXT)"),
        "premiums, in braces": (premium, "exper", "log(pay) ~ ai + {TEXT}"),
        "premiums, in backticks": (premium, "exper", "log(pay) ~ ai + `TEXT`"),
        "premiums, product": (premium, "exper", "log(pay) ~ ai*TEXT"),
        "premiums, whole": (premium, "log(pay) ~ ai + exper", "TEXT"),
        "bar": (linear, "educ", "pay ~ x | TEXT"),
        "bar, second": (linear, "educ", "pay ~ x | field + TEXT"),
        "bar, combination": (linear, "educ", "pay ~ x | field^TEXT"),
        "linear, left": (linear, "exper", "TEXT ~ x"),
        "linear, right": (linear, "exper", "pay ~ TEXT"),
        "instruments": (lambda text: linear("pay ~ x", instruments=text), "exper", "x ~ z + TEXT"),
        "instruments, left": (lambda text: linear("pay ~ x", instruments=text), "x", "TEXT ~ z"),
        "wild bootstrap": (
            lambda text: wg.wild_bootstrap(panel(), text, "x = 0", cluster="psu", reps=19), "exper", "pay ~ x + TEXT"
        ),
        "flows, left": (lambda text: wg.fit_flows(panel(), text), "moves", "TEXT ~ x"),
        "flows, right": (lambda text: wg.fit_flows(panel(), text), "exper", "moves ~ x + TEXT"),
        "offset": (lambda text: wg.fit_flows(panel(), text), "exper", "moves ~ x + offset(TEXT)"),
        "exits": (lambda text: wg.fit_exits(panel(), text, margins=False), "exper", "leaves ~ TEXT"),
        "exits, no left side": (
            lambda text: wg.fit_exits(panel(), text, exit="leaves", margins=False), "exper", "~ x + TEXT"
        ),
        "choice": (
            lambda text: wg.fit_choice(choosers(), text, chooser="who", alternative="place"), "exper", "took ~ TEXT"
        ),
        "selection": (selected, "exper", "works ~ z + TEXT"),
        "selection, left": (selected, "works", "TEXT ~ z + exper"),
        "selection, pay": (
            lambda text: wg.fit_selection(panel(), text, selection="works ~ ai + z"), "exper", "log(paid) ~ ai + TEXT"
        ),
        "roy": (lambda text: wg.fit_roy(panel(), text, leave="leaves", reps=19), "exper", "log(pay) ~ TEXT"),
        "oaxaca": (gap(wg.oaxaca), "exper", "log(pay) ~ TEXT"),
        "oaxaca, selection": (
            lambda text: wg.oaxaca_selection(panel(), "log(paid) ~ ai", group="female", selection=text),
            "exper", "works ~ z + TEXT",
        ),
        "rif": (
            lambda text: wg.rif_oaxaca(panel(), text, group="female", statistic="mean"), "exper", "log(pay) ~ TEXT"
        ),
        "rif, propensity": (
            lambda text: wg.rif_oaxaca(
                panel(), "log(pay) ~ exper", group="female", statistic="mean", reweight="logit", propensity=text
            ),
            "exper", "TEXT",
        ),
        "dfl": (lambda text: wg.dfl(panel(), text, group="female", statistics="mean"), "exper", "log(pay) ~ TEXT"),
        "yun": (gap(wg.yun), "exper", "leaves ~ TEXT"),
        "fairlie": (
            lambda text: wg.fairlie(panel(), text, group="female", reps=9, rng=0), "exper", "leaves ~ TEXT"
        ),
        "kitagawa": (lambda text: wg.kitagawa(panel(), text, "educ", group="female"), "leaves", "TEXT"),
        "common effects": (
            lambda text: wg.common_correlated_effects(wide(), text, unit="unit", period="t"), "x", "y ~ TEXT"
        ),
        "link": (link, "exper", "leaving ~ premium + TEXT"),
        "link, left": (link, "leaving", "TEXT ~ premium"),
        "link, bar": (link, "field", "leaving ~ premium | TEXT"),
        "link, system": (
            lambda text: wg.fit_link_system([text, "switching ~ premium"], rates, premiums, data=data),
            "exper", "leaving ~ premium + TEXT",
        ),
        "curve": (
            lambda text: wg.specification_curve("leaving", rates, {"p": premiums}, data=data, controls=[text], reps=9),
            "exper", "TEXT",
        ),
        "costs": (lambda text: gained(costs=text), "log(dist)", "TEXT"),
        "study, premiums": (
            lambda text: wg.study(fitted("premiums", formula=text, premium="ai")), "exper", "log(pay) ~ ai + TEXT"
        ),
        "study, link": (lambda text: wg.study(linked(formula=text)), "leaving ~ premium + C(year)"),
    }  # fmt: skip
    return _doors(calls, "premiums, left", "premiums, right", "premiums, in I", "premiums, whole", "bar", "link")


@functools.cache
def wide() -> pd.DataFrame:
    """Eight units over twenty periods."""
    rng = np.random.default_rng(2)
    frame = pd.MultiIndex.from_product([range(8), range(20)], names=["unit", "t"]).to_frame(index=False)
    frame = frame.assign(x=rng.normal(size=160), exper=rng.random(160) + 1, age=rng.random(160), z=rng.random(160))
    return frame.assign(y=frame["x"] + rng.normal(size=160), field="cs")


def gained(**options: Any) -> Any:
    """Migrants by what they gain."""
    from wagegap.regression.gravity.grogger_hanson import simulate_migrants

    return wg.grogger_hanson(
        simulate_migrants(origins=6, destinations=6, rng=1), origin="o", destination="d",
        movers=["skilled", "primary"], stayers=["stay_skilled", "stay_primary"],
        **{"origin_wages": ["wo_skilled", "wo_primary"], "destination_wages": ["wd_skilled", "wd_primary"], **options},
    )  # fmt: skip


def fitted(kind: str, **entries: Any) -> dict[str, Any]:
    """A study of a panel, with a section of premiums or rates."""
    return {"panels": {"p": {"path": "workers.csv"}}, kind: {"a": {"panel": "p", **entries}}}


def linked(**changes: Any) -> dict[str, Any]:
    """A study with a link, some entries of which are changed."""
    link = {"name": "one", "rates": "r", "premiums": "p", "formula": "leaving ~ premium", "method": "ols"}
    cells = {"panel": "workers", "by": ["iso3", "year"]}
    few = {"min_treated": 1, "min_comparison": 1}
    return {
        "panels": {"workers": {"path": "workers.csv"}},
        "premiums": {"p": {**cells, **few, "formula": "log(pay) ~ ai", "premium": "ai"}},
        "rates": {"r": {**cells, "events": {"leaving": "leaves"}, "min_rows": 1}},
        "links": [{**link, **changes}],
    }


def conditions() -> dict[str, Door]:
    """Conditions and events."""

    def subpop(text: str) -> Any:
        return wg.fit_linear(panel(), "pay ~ x", subpop=text)

    def rates(text: str, **options: Any) -> Any:
        return wg.fit_rates(panel(), **{"events": "leaves", "by": [], "min_rows": 1, "among": text, **options})

    def moves(text: str) -> Any:
        return wg.fit_transitions(panel(), "field", "next_field", among=text, min_rows=1)

    def section(**entries: Any) -> Any:
        return wg.study(fitted("rates", by="iso3", **entries))

    some = "exper > 3"
    calls = {
        "filter": (lambda text: panel().filter(text), some, "TEXT"),
        "filter, in a comparison": (lambda text: panel().filter(text), "exper", "(TEXT) > 3"),
        "filter, second": (lambda text: panel().filter(text), some, "ai == 1 or (TEXT)"),
        "filter, in isin": (lambda text: panel().filter(text), "1", "exper.isin([TEXT, 2])"),
        "filter, in a list": (lambda text: panel().filter(text), "1", "exper in [TEXT, 2]"),
        "filter, in backticks": (lambda text: panel().filter(text), "exper", "`TEXT` > 3"),
        "subpop": (subpop, some, "TEXT"),
        "subpop of premiums": (
            lambda text: wg.fit_premiums(panel(), "log(pay) ~ ai", premium="ai", by=[], subpop=text),
            some,
            "TEXT",
        ),
        "subpop of oaxaca": (
            lambda text: wg.oaxaca(panel(), "log(pay) ~ exper", group="female", subpop=text),
            some,
            "TEXT",
        ),
        "among": (rates, some, "TEXT"),
        "event": (lambda text: rates("ai", events={"e": text}), some, "TEXT"),
        "event, alone": (lambda text: rates("ai", events=text), "leaves", "TEXT"),
        "events": (lambda text: rates("ai", events=["leaves", text]), "works", "TEXT"),
        "transitions": (moves, some, "TEXT"),
        "exit": (lambda text: wg.fit_exits(panel(), "~ x", exit=text, margins=False), "leaves", "TEXT"),
        "exits": (
            lambda text: wg.fit_exits(panel(), "~ x", exit={"one": text, "other": "field == 'law'"}, margins=False),
            "field == 'cs'",
            "TEXT",
        ),
        "leave of roy": (lambda text: wg.fit_roy(panel(), "log(pay) ~ exper", leave=text, reps=19), "leaves", "TEXT"),
        "costs' subpop": (lambda text: gained(subpop=text), "dist > 3", "TEXT"),
        "study, among": (lambda text: section(events="leaves", among=text), some, "TEXT"),
        "study, events": (lambda text: section(events=text), "leaves", "TEXT"),
        "study, an event": (lambda text: section(events={"e": text}), some, "TEXT"),
        "study, subpop": (lambda text: section(events="leaves", subpop=text), some, "TEXT"),
    }
    return _doors(calls, "filter", "event", "study, among")


def options() -> dict[str, Door]:
    """Names of columns, hypotheses, covariances, statistics: whatever else is text and may be wrong."""
    fit = wg.fit_linear(panel(), "pay ~ x + exper")
    rates, premiums, data = cells()

    def premium(**given: Any) -> Any:
        return wg.fit_premiums(panel(), **{"formula": "log(pay) ~ ai + exper", "premium": "ai", "by": [], **given})

    def linear(**given: Any) -> Any:
        return wg.fit_linear(panel(), "pay ~ x", **given)

    def flows(**given: Any) -> Any:
        return wg.fit_flows(panel(), "moves ~ x", **given)

    def gap(**given: Any) -> Any:
        return wg.oaxaca(panel(), "log(pay) ~ exper", **{"group": "female", **given})

    def link(**given: Any) -> Any:
        return wg.fit_link("leaving ~ premium", rates, premiums, data=data, **{"method": "ols", **given})

    def section(kind: str, **entries: Any) -> Any:
        given = {"premiums": {"formula": "log(pay) ~ ai", "premium": "ai"}, "rates": {"events": "leaves"}}[kind]
        return wg.study(fitted(kind, **{**given, **entries}))

    calls = {
        "premium": (lambda text: premium(premium=text), "ai"),
        "premium, second": (lambda text: premium(premium=["ai", text]), "exper"),
        "base": (lambda text: premium(premium="field", formula="log(pay) ~ field", base=text), "law"),
        "at": (lambda text: premium(formula="log(pay) ~ ai*exper", at={text: 3}), "exper"),
        "at, its value": (lambda text: premium(formula="log(pay) ~ ai*field", at={"field": text}), "law"),
        "by": (lambda text: premium(by=text), "educ"),
        "by, second": (lambda text: premium(by=["iso3", text], min_treated=1, min_comparison=1), "female"),
        "weights": (lambda text: premium(weights=text), "w"),
        "method": (lambda text: premium(method=text), "separate"),
        "cov": (lambda text: linear(cov=text), "HC1"),
        "cov, cluster": (lambda text: linear(cov=f"CR1:{text}"), "psu"),
        "cov, second cluster": (lambda text: linear(cov=f"CR1:psu+{text}"), "iso3"),
        "bootstrap's cluster": (lambda text: linear(cov=wg.cov.Bootstrap(9, cluster=text, rng=1)), "psu"),
        "survey's strata": (lambda text: linear(cov=wg.cov.Survey("psu", text)), "iso3"),
        "unit": (lambda text: linear(model="random", unit=text, period="year"), "pid"),
        "period": (lambda text: linear(model="differences", unit="pid", period=text), "year"),
        "model": (lambda text: linear(model=text, unit="pid", period="year"), "random"),
        "trials": (lambda text: wg.fit_flows(panel(), "leaves ~ x", family="binomial", trials=text), "trials"),
        "family": (lambda text: flows(family=text), "poisson"),
        "group": (lambda text: gap(group=text), "female"),
        "groups": (lambda text: gap(group="field", groups=("law", text)), "cs"),
        "normalize": (lambda text: wg.oaxaca(panel(), "log(pay) ~ field", group="female", normalize=text), "field"),
        "detail, its terms": (lambda text: gap(detail={"one": [text]}), "exper"),
        "factors": (lambda text: wg.kitagawa(panel(), "leaves", text, group="female"), "educ"),
        "size": (lambda text: wg.kitagawa(panel(), "leaves", "educ", group="female", size=text), "w"),
        "statistic": (lambda text: wg.rif_oaxaca(panel(), "pay ~ exper", group="female", statistic=text), "mean"),
        "trim": (lambda text: wg.dfl(panel(), "pay ~ exper", group="female", statistics="mean", trim=text), "none"),
        "density": (lambda text: wg.dfl(panel(), "pay ~ exper", group="female", density=text), "r"),
        "sequence": (lambda text: wg.dfl(panel(), "pay ~ exper + age", group="female", statistics="mean",
                                         sequence=["exper", text]), "age"),
        "order": (lambda text: wg.fairlie(panel(), "leaves ~ exper + age", group="female", reps=9, rng=0,
                                          order=["exper", text]), "age"),
        "leave": (lambda text: wg.fit_roy(panel(), "log(pay) ~ exper", leave=text, reps=19), "leaves"),
        "chooser": (lambda text: wg.fit_choice(choosers(), "took ~ exper", chooser=text, alternative="place"), "who"),
        "alternative": (
            lambda text: wg.fit_choice(choosers(), "took ~ exper", chooser="who", alternative=text), "place"
        ),
        "time": (lambda text: wg.fit_exits(panel(), "leaves ~ x", time=text, margins=False), "year"),
        "mundlak": (lambda text: wg.fit_exits(panel(), "leaves ~ x", mundlak=text, margins=False), "x"),
        "origin": (lambda text: wg.fit_transitions(panel(), text, "next_field"), "field"),
        "destination": (lambda text: wg.fit_transitions(panel(), "field", text), "next_field"),
        "wages": (lambda text: gained(origin_wages=[text, "wo_primary"]), "wo_skilled"),
        "link's cluster": (lambda text: link(cluster=text), "field"),
        "link's keys": (lambda text: link(on=text), "iso3"),
        "link's method": (lambda text: link(method=text), "ols"),
        "link's covariance": (lambda text: link(cov=text), "HC3"),
        "link's instruments": (lambda text: link(method="iv", instruments=text, force=True), "z"),
        "curve's outcome": (
            lambda text: wg.specification_curve(text, rates, {"p": premiums}, methods=["ols"], reps=9), "leaving"
        ),
        "curve's sample": (
            lambda text: wg.specification_curve("leaving", rates, {"p": premiums}, samples={"s": [text]}, reps=9), None
        ),
        "hypothesis": (fit.test, "x = exper"),
        "hypothesis, second": (lambda text: fit.test(["x = 0", text]), "exper = 0"),
        "hypothesis, its factor": (lambda text: fit.test(f"{text}*x = 0"), "2"),
        "hypothesis, its value": (lambda text: fit.test(f"x = {text}"), "0.5"),
        "wild hypothesis": (
            lambda text: wg.wild_bootstrap(panel(), "pay ~ x + exper", text, cluster="psu", reps=19), "x = 0"
        ),
        "select": (lambda text: premiums.select(iso3=text), "C01"),
        "in_unit": (lambda text: fit.estimates.in_unit(text), None),
        "wage": (lambda text: wg.read_panel(workers(), wage=text), "pay"),
        "country": (lambda text: wg.read_panel(workers(), country=text), "iso3"),
        "weight kind": (lambda text: wg.read_panel(workers(), weight="w", weight_kind=text), "sampling"),
        "units": (lambda text: wg.read_panel(workers(), units={"pay": text}), None),
        "columns": (lambda text: wg.read_panel("workers.csv", columns=["pay", text]), "ai"),
        "encoding": (lambda text: wg.read_panel("workers.csv", encoding=text), "utf-8"),
        "separator": (lambda text: wg.read_panel("workers.csv", sep=text, columns=["pay", "ai"]), ","),
        "table's rows": (lambda text: wg.table(fit, rows=[text]), "x"),
        "table's statistics": (lambda text: wg.table(fit, statistics=[text]), "nobs"),
        "skill of a table": (lambda text: wg.datasets.talent_migration(text), "ai"),
        "shipped": (lambda text: wg.study({"premiums": {"a": {"shipped": text}}}), "published_premiums"),
        "shipped, its term": (
            lambda text: wg.study({"premiums": {"a": {"shipped": f"stem_graduates:{text}"}}}), "premium"
        ),
        "study's panel": (lambda text: wg.study({"premiums": {"a": {"panel": text}}}), None),
        "study's version": (lambda text: wg.study(linked() | {"version": text}), "0.5"),
        "study's country": (lambda text: wg.study(linked() | {"watch": [text]}), "KOR"),
        "study's entry": (lambda text: section("rates", **{text: "x"}), None),
        "study's premium": (lambda text: section("premiums", premium=text), "ai"),
        "study's by": (lambda text: section("premiums", by=text), "iso3"),
        "study's covariance": (lambda text: section("premiums", cov=text), "HC1"),
        "study's weights": (lambda text: section("rates", weights=text), "w"),
        "study's rates": (lambda text: wg.study(linked(rates=text)), "r"),
        "study's cluster": (lambda text: wg.study(linked(cluster=text)), "year"),
    }  # fmt: skip
    return _doors(calls, "premium", "by", "cov, cluster", "hypothesis")


def files() -> dict[str, Door]:
    """Names of files."""

    def panel_of(path: str) -> Any:
        return wg.study(fitted("rates", events="leaves") | {"panels": {"p": {"path": path}}})

    calls = {
        "read_panel": (wg.read_panel, "workers.csv"),
        "study's path": (panel_of, "workers.csv"),
        "study's path in a folder": (panel_of, "workers.csv", "./TEXT"),
        "study": (wg.study, None),
        "table of a reader": (lambda text: wg.datasets.read_penn_world_table(path=text), None),
        "survey of a reader": (lambda text: wg.datasets.read_stack_overflow_year(2023, text), None),
    }  # fmt: skip
    return {name: Door(*door, every=1) for name, door in calls.items()}


GROUPS: dict[str, tuple[Callable[[], dict[str, Door]], list[Attack]]] = {
    "formulas": (formulas, ATTACKS), "conditions": (conditions, ATTACKS), "options": (options, ATTACKS),
    "files": (files, PATHS),
}  # fmt: skip


# the watch -----------------------------------------------------------------------------------------------------------

_TOUCHES = ("os.", "subprocess.", "socket.", "shutil.", "pickle.", "ctypes.", "urllib.", "ftplib.", "http.", "smtplib.")
_TOUCHES += (
    "tempfile.",
    "glob.",
    "pathlib.",
    "webbrowser.",
    "mmap.",
    "builtins.input",
    "builtins.breakpoint",
    "pty.",
    "winreg.",
)
_OWN = tuple(
    os.path.realpath(path)
    for path in {*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, Path(wg.__file__).parent}
)


class Watch:
    """What happens while it is on: events of the interpreter that touch the world outside, one line each."""

    def __init__(self) -> None:
        self.events: set[str] | None = None
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.events is None:
            return
        if event == "exec":
            code = arguments[0]
            if not _is_own(code.co_filename):
                self.events.add(f"exec {code.co_filename} {' '.join(code.co_names)}")
        elif event == "open":
            reads = isinstance(arguments[1], str) and not set(arguments[1]) & set("wax+")
            if not (reads and _is_own(arguments[0])):
                self.events.add(f"open {arguments[0]!r} {arguments[1]!r}")
        elif event.startswith(_TOUCHES) and not any(_is_own(argument) for argument in arguments[:1]):
            self.events.add(f"{event} {str(arguments)[:200]}")

    @contextlib.contextmanager
    def on(self) -> Any:
        """Note what happens within."""
        self.events = seen = set()
        try:
            yield seen
        finally:
            self.events = None


def _is_own(path: object) -> bool:
    """Whether a path is one of Python's own, of an installed package, or of wagegap."""
    if not isinstance(path, str | bytes):
        return False
    text = os.fsdecode(path)
    return text.startswith("<frozen") or (os.path.isabs(text) and os.path.realpath(text).startswith(_OWN))


def state() -> dict[str, Any]:
    """What a call must leave as it was: files, data, settings of the process."""
    return {
        "files": {entry.name: _size_and_time(entry) for entry in os.scandir()},
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "numpy": (np.geterr(), np.random.get_state()[1].tobytes()),  # noqa: NPY002
        "data": [
            frame[name].to_numpy().tobytes()
            for frame in (panel().frame, cells()[2], choosers())
            for name in frame.select_dtypes("number")
        ],
    }


def _size_and_time(entry: os.DirEntry[str]) -> tuple[int, int]:
    about = entry.stat(follow_symlinks=False)
    return about.st_size, about.st_mtime_ns


def restored(before: dict[str, Any]) -> None:
    """Undo what an attack has done."""
    os.chdir(before["folder"])
    for entry in list(os.scandir()):
        os.rmdir(entry) if entry.is_dir(follow_symlinks=False) else os.unlink(entry)
    lay_out(Path())
    os.environ.clear()
    os.environ.update(before["environment"])
    np.seterr(**before["numpy"][0])
    np.random.seed(1)  # noqa: NPY002
    for made in (panel, cells, choosers):
        made.cache_clear()
    before.update(state())


def tried(call: Callable[[str], Any], text: str, watch: Watch, before: dict[str, Any]) -> dict[str, Any]:
    """Outcome of a call: its error, its time, and what it did besides."""
    began, error, message = time.process_time(), "", ""
    with watch.on() as seen, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                call(text)
            except BaseException as raised:  # a SystemExit, or a KeyboardInterrupt, is an outcome like any other
                typed = isinstance(raised, WagegapError)
                error, message = f"{'' if typed else 'untyped '}{type(raised).__name__}", str(raised)
    took, after = time.process_time() - began, state()
    changed = [name for name, value in before.items() if after[name] != value]
    if changed:
        restored(before)
    return {"error": error, "message": message[:2000], "length": len(message), "seconds": took, "seen": sorted(seen),
            "changed": changed}  # fmt: skip


def main(group: str, start: int) -> None:
    """Try the attacks at every door of a group, from a number on."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # libraries of Fortran write there
    doors, attacks = GROUPS[group][0](), GROUPS[group][1]
    watch, before, number = Watch(), state(), -1
    for at, (name, door) in enumerate(doors.items()):
        honest = door.around.replace("TEXT", door.innocent or "@")
        _, innocent = (tried(door.call, honest, watch, before) for _ in range(2))
        print(json.dumps({"door": name, "innocent": door.innocent, **innocent}), file=said, flush=True)
        for attack in attacks[at % door.every :: door.every]:
            number += 1
            if number >= start:
                print(json.dumps({"number": number, "door": name, "attack": attack.name}), file=said, flush=True)
                text = door.around.replace("TEXT", attack.text)
                outcome = tried(door.call, text, watch, before)
                if set(outcome["seen"]) - set(innocent["seen"]) and not outcome["changed"]:
                    outcome["seen"] = tried(door.call, text, watch, before)["seen"]  # modules are loaded by now
                print(json.dumps(outcome), file=said, flush=True)


def control() -> None:
    """Run what the live attacks say, each in its own engine, and print what the watch sees of it."""
    import formulaic

    watch, before = Watch(), state()
    engines: dict[str, Callable[[str], Any]] = {
        "python": lambda text: eval(text, {"np": np, "pd": pd, **dict(panel().frame.items())}),
        "pandas": lambda text: _evaluated(panel(), panel().frame, text),
        "formulaic": lambda text: formulaic.model_matrix(text, panel().frame, context={}),
    }
    for attack in ATTACKS:
        if attack.engine:
            engine = engines[attack.engine]
            tried(lambda _, engine=engine: engine("exper"), "", watch, before)
            print(json.dumps({"attack": attack.name, **tried(engine, attack.text, watch, before)}), flush=True)


def _evaluated(self: Any, frame: pd.DataFrame, text: str) -> Any:
    """What pandas makes of a text: it sees the variables of its caller."""
    assert self.frame is frame
    return frame.eval(text)


if __name__ == "__main__":
    control() if sys.argv[1] == "control" else main(sys.argv[1], int(sys.argv[2]))

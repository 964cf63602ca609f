"""What can be said on the command line: commands, their options, and what is answered where it is none of these."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

from wagegap import __version__
from wagegap.errors import OptionError, did_you_mean

__all__ = ["COMMANDS", "EXAMPLES", "ROLES", "SHELLS", "parsed"]

ROLES = ("worker", "country", "period", "wage", "premium")
SHELLS = ("bash", "zsh", "fish")
EXAMPLES = ("published_figures", "worker_panel", "replicate_weights", "ai_talent")
"""Model studies that are shipped."""
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("carry out a study and write its report", "wagegap run study.toml -o report --pdf"),
        "init": ("write a first study of your data, each guess with its reason", "wagegap init workers.csv"),
        "check": ("say what is wrong with a study, and what it would do", "wagegap check study.toml"),
        "datasets": ("list what is shipped and what can be downloaded", "wagegap datasets"),
        "schema": ("print the JSON schema of studies, for editors", "wagegap schema > study.schema.json"),
        "completion": ("print what completes commands in a shell", "wagegap completion bash >> ~/.bashrc"),
    }
)
"""Commands by name: what each is for, and an example."""
_TOP = """\
example: your own table, from file to report

  wagegap init workers.csv          writes study.toml: what the columns seem to be, and why
  wagegap check study.toml          what is wrong with it, what it would do
  wagegap run study.toml -o report  report/report.html

Without a command the shipped study 'AI talent' is carried out; `wagegap STUDY.toml` is `wagegap run STUDY.toml`.
`wagegap COMMAND --help` has the options of a command. Guide: docs/own_data.md."""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line with a hint, in the words of the package."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{message}. `{self.prog} --help` has what it takes.")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what was said.

    Raises
    ------
    OptionError
        For a command or an option that there is not, with the near one.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] not in (*COMMANDS, "-h", "--help", "--version"):
        _check_study(words)
        words = ["run", *words]
    parser, of_command = _parsers()
    options, unknown = parser.parse_known_args(words)
    if unknown:
        known = [flag for action in of_command[options.command]._actions for flag in action.option_strings]
        hint = did_you_mean(unknown[0], known) if unknown[0].startswith("-") else ""
        raise OptionError(
            f"wagegap {options.command} does not take {unknown[0]!r}.{hint} What it takes: wagegap {options.command} "
            "--help."
        )
    return options


def _check_study(words: Sequence[str]) -> None:
    """Raise where the first word is neither a command nor can be a study."""
    word = words[0] if words else "-"
    if word.startswith("-") or "." in word or os.sep in word or not word.strip() or os.path.lexists(word[:255]):
        return
    near = did_you_mean(word, COMMANDS)
    raise OptionError(f"{word!r} is neither a command nor a file.{near} Commands: {', '.join(COMMANDS)}.")


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of all, and that of each command."""
    parser = _Parser(
        prog="wagegap", description=f"Does pay move people? Studies from files, reports from studies.\n\n{_TOP}",
        formatter_class=_formatter, allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"wagegap {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    of_command: dict[str, argparse.ArgumentParser] = {}
    for name, (about, example) in COMMANDS.items():
        of_command[name] = commands.add_parser(
            name, help=about, description=f"example: {example}\n\n{about[0].upper()}{about[1:]}.",
            formatter_class=_formatter, allow_abbrev=False,
        )  # fmt: skip
        _ADD[name](of_command[name])
    return parser, of_command


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=28, width=110)


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="?", metavar="STUDY", help="a study file (TOML); the shipped one where absent")
    parser.add_argument(
        "-o", "--output", default="wagegap-report", metavar="FOLDER", help="of the report (%(default)s)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument(
        "--pdf", action="store_true", help="report.pdf too, by Chromium or Chrome where it is installed"
    )
    parser.add_argument("--open", action="store_true", help="open the report in the browser")


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="?", metavar="DATA",
                        help="a table: csv, tsv, parquet, dta, sav, xlsx; the shipped data where absent")  # fmt: skip
    parser.add_argument("-o", "--output", metavar="STUDY", help="the study to write (study.toml)")
    parser.add_argument("--example", choices=EXAMPLES, metavar="NAME",
                        help=f"copy a model study with its data instead: {', '.join(EXAMPLES)}")  # fmt: skip
    for role in ROLES:
        parser.add_argument(f"--{role}", metavar="COLUMN", help=f"say which column is the {role}")
    parser.add_argument("-y", "--yes", action="store_true", help="ask nothing: take every guess")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite files that are there")


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY", help="a study file (TOML)")


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def _nothing(_: argparse.ArgumentParser) -> None:
    """A command without options."""


_ADD = MappingProxyType(
    {"run": _run, "init": _init, "check": _check, "datasets": _nothing, "schema": _nothing, "completion": _completion}
)

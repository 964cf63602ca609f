"""Completion of commands, options and study files in bash, zsh and fish."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wagegap.report.command.arguments import COMMANDS, EXAMPLES, ROLES, SHELLS

__all__ = ["completion_of"]

_OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "run": ("--output", "--quiet", "--pdf", "--open", "--help"),
        "init": ("--output", "--example", "--yes", "--force", "--help", *(f"--{role}" for role in ROLES)),
        "check": ("--help",), "datasets": ("--help",), "schema": ("--help",), "completion": SHELLS,
    }
)  # fmt: skip
_DATA = ("csv", "csv.gz", "tsv", "parquet", "dta", "sav", "xlsx")


def completion_of(shell: str) -> str:
    """Return the script that completes `wagegap` in a shell."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def _bash() -> str:
    cases = "\n".join(
        f"        {name}) words='{' '.join(options)}' ;;" for name, options in _OPTIONS.items()
    )  # fmt: skip
    return f"""\
# wagegap in bash: wagegap completion bash >> ~/.bashrc
_wagegap() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words=''
    case ${{COMP_WORDS[1]}} in
{cases}
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then words='{" ".join(COMMANDS)}'; fi
    if [ "$before" = --example ]; then words='{" ".join(EXAMPLES)}'; fi
    COMPREPLY=( $(compgen -W "$words" -- "$current") )
    case $current in
        -*) ;;
        *) COMPREPLY+=( $(compgen -f -X '!*.@(toml|{"|".join(_DATA)})' -- "$current") $(compgen -d -- "$current") ) ;;
    esac
}}
shopt -s extglob
complete -o filenames -F _wagegap wagegap"""


def _zsh() -> str:
    about = "\n".join(f"        '{name}:{text}'" for name, (text, _) in COMMANDS.items())
    cases = "\n".join(f"            {name}) compadd -- {' '.join(options)} ;;" for name, options in _OPTIONS.items())
    return f"""\
#compdef wagegap
# wagegap in zsh: wagegap completion zsh > a folder of $fpath/_wagegap
_wagegap() {{
    local -a commands=(
{about}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
    elif [[ $words[CURRENT-1] == --example ]]; then
        compadd -- {" ".join(EXAMPLES)}
    else
        case $words[2] in
{cases}
        esac
    fi
    _files -g '*.(toml|{"|".join(_DATA)})'
}}
compdef _wagegap wagegap"""


def _fish() -> str:
    lines = ["# wagegap in fish: wagegap completion fish > ~/.config/fish/completions/wagegap.fish"]
    for name, (text, _) in COMMANDS.items():
        lines.append(f"complete -c wagegap -n __fish_use_subcommand -a {name} -d '{text}'")
        for option in _OPTIONS[name]:
            given = f"-l {option[2:]}" if option.startswith("--") else f"-a {option}"
            lines.append(f"complete -c wagegap -n '__fish_seen_subcommand_from {name}' {given}")
    lines.append(f"complete -c wagegap -n '__fish_seen_subcommand_from init' -l example -x -a '{' '.join(EXAMPLES)}'")
    return "\n".join(lines)

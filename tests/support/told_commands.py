"""Commands as documents show them, read by the parser of the command itself."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer

from service.cli import app

COMMAND = "calendar-sync"
FENCED_SHELL = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(rf"`((?:{COMMAND}|make) [^`]+)`")
HEREDOC = re.compile(r"<<-?(\w+)\n.*?^\1$", re.MULTILINE | re.DOTALL)
ASSIGNED = re.compile(r"^[A-Z_]+=\S*$")
PLACEHOLDER = "COMMAND"
MADE = re.compile(r"^([a-z]+):", re.MULTILINE)


def told_commands(text: str) -> Iterator[list[str]]:
    """Each command of a document, word by word: the lines of its shell blocks, and what it names of ours."""
    for block in FENCED_SHELL.findall(text):
        for line in HEREDOC.sub("", block).replace("\\\n", " ").splitlines():
            yield from _of_line(line)
    for inline in INLINE.findall(FENCED.sub("", text).replace("\n", " ")):
        if PLACEHOLDER not in inline:
            yield from _of_line(inline.replace("\\|", "|"))


def _of_line(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, ";"]:
        if not word.strip("|&;"):
            if command:
                yield command
            command = []
        elif command or not ASSIGNED.match(word):
            command.append(word)


def complaint_of(words: list[str]) -> str | None:
    """What the parser says against a command of ours; None where it takes it. Nothing is run."""
    try:
        _parse(typer.main.get_command(app), COMMAND, words)
    except Exception as error:  # noqa: BLE001 -- the parser's own error tree is private
        return f"{' '.join(words)}: {error or type(error).__name__}"
    return None


def _parse(command: Any, name: str, words: list[str]) -> None:
    if not hasattr(command, "commands"):
        command.make_context(name, list(words))
        return
    if not words or words[0].startswith("-"):
        command.make_context(name, list(words) or ["--help"], resilient_parsing=True)
        return
    _parse(command.commands[words[0]], words[0], words[1:])


def command_names() -> set[str]:
    """Every command, those of a group as ``group command``."""
    found = set()
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        found |= {f"{name} {below}" for below in getattr(command, "commands", ())} or {name}
    return found


def make_targets(makefile: str) -> set[str]:
    return set(MADE.findall(makefile))

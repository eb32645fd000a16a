"""Whoever asks a command for help is told what each of its words is."""

from collections.abc import Iterator
from typing import Any, get_args

import typer

from service.cli import app
from service.cli.integration_words import StatusWord
from service.web.api.integrations import AskedStatus


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for word, each in below.items():
        yield from _commands(each, f"{name} {word}".strip())


COMMANDS = dict(_commands(typer.main.get_command(app), ""))


def test_every_command_option_and_argument_says_what_it_is() -> None:
    silent = [name for name, command in COMMANDS.items() if not command.help]
    silent += [
        f"{name} {word.name}"
        for name, command in COMMANDS.items()
        for word in command.params
        if not getattr(word, "help", None)
    ]
    assert len(COMMANDS) > 40
    assert silent == []


def test_no_word_of_a_usage_line_is_a_name_of_the_code() -> None:
    """An argument's place is held by capitals, or by the words that it takes."""
    places = {
        f"{name} {word.name}": word.metavar
        for name, command in COMMANDS.items()
        for word in command.params
        if word.param_type_name == "argument"
    }
    assert [name for name, place in places.items() if not place] == []


def test_the_command_knows_every_status_that_the_api_knows() -> None:
    assert {word.value for word in StatusWord} == set(get_args(AskedStatus))

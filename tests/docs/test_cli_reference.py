"""``docs/cli.md`` has every command with its options and their defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from flowmaestro.cli.app import build_app
from tests.support.docs_pages import DOCS, code_in, rows, section

PAGE = DOCS / "cli.md"


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, child in inner.items():
        yield from _commands(child, f"{path} {name}")


COMMANDS = dict(_commands(typer.main.get_command(build_app()), "flowmaestro"))


def test_every_command_has_a_section() -> None:
    headings = re.findall(r"^## `(flowmaestro[^`]*)`$", PAGE.read_text(), re.MULTILINE)
    assert set(headings) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_a_command_has_its_options(name: str) -> None:
    text = section(PAGE, f"`{name}`")
    shown = {frozenset(code_in(row[0])): row[1].strip("`") for row in rows(text)}
    options = {
        frozenset(parameter.opts): parameter
        for parameter in COMMANDS[name].params
        if parameter.param_type_name == "option" and "--help" not in parameter.opts
    }
    assert set(shown) == set(options)
    for names, option in options.items():
        if option.default not in (None, False, True) and not callable(option.default):
            assert shown[names] == str(option.default), names
        elif found := re.search(r"\[default: ([^\]]+)\]", option.help or ""):
            assert shown[names].replace("`", "").startswith(found[1][:8]), names


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_arguments_are_named(name: str) -> None:
    codes = code_in(section(PAGE, f"`{name}`"))
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "argument":
            assert parameter.name.upper() in codes


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_names_what_its_options_take(name: str) -> None:
    result = CliRunner().invoke(build_app(), [*name.split()[1:], "--help"])
    assert result.exit_code == 0
    assert not re.search(r"[{}]|<\w[\w ]*>", result.output), result.output

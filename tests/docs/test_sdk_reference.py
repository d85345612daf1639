"""``docs/sdk-python.md`` has every argument, method and error of the SDK."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from flowmaestro.api.errors import STATUS_OF_CODE
from flowmaestro.client import (
    AsyncFlowMaestroClient,
    FlowMaestroClient,
    FlowMaestroError,
    async_client,
    errors,
    sync_client,
)
from tests.support.docs_pages import DOCS, code_in, rows, section

PAGE = DOCS / "sdk-python.md"


@pytest.mark.parametrize("client", [FlowMaestroClient, AsyncFlowMaestroClient])
def test_the_table_of_arguments_is_the_signature(client: type) -> None:
    parameters = list(inspect.signature(client).parameters.values())
    table = [row for row in rows(section(PAGE, "Clients")) if len(row) == 3]
    assert [(code_in(row[0])[0], code_in(row[1])[0]) for row in table] == [
        (parameter.name, repr(parameter.default)) for parameter in parameters
    ]


@pytest.mark.parametrize(
    "resources",
    [
        {"workflows": sync_client.Workflows, "executions": sync_client.Executions},
        {"workflows": async_client.AsyncWorkflows, "executions": async_client.AsyncExecutions},
    ],
)
def test_the_table_of_methods_is_the_clients(resources: dict[str, type]) -> None:
    shown = [code_in(row[0])[0] for row in rows(section(PAGE, "Clients")) if len(row) == 2]
    assert shown == [
        f"{name}.{method}({_arguments(function)})"
        for name, resource in resources.items()
        for method, function in vars(resource).items()
        if not method.startswith("_")
    ]


def _arguments(function: Any) -> str:
    return ", ".join(
        name if parameter.default is inspect.Parameter.empty else f"{name}={parameter.default!r}"
        for name, parameter in list(inspect.signature(function).parameters.items())[1:]
    )


def test_the_tree_of_errors_is_the_codes() -> None:
    tree = section(PAGE, "Errors")
    shown: dict[str, str] = {}
    parents: dict[int, str] = {}
    for indent, name in re.findall(r"^([│├└─ ]*)([A-Z]\w+)(?: |$)", tree, re.MULTILINE):
        if not hasattr(errors, name):
            continue
        depth = len(indent) // 4
        parents[depth] = name
        shown[name] = parents[depth - 1] if depth else "Exception"
    assert shown == {
        name: found.__bases__[0].__name__
        for name, found in vars(errors).items()
        if isinstance(found, type) and issubclass(found, FlowMaestroError)
    }


def test_the_tree_names_the_code_and_status_of_each_class() -> None:
    lines = section(PAGE, "Errors").splitlines()
    for code, found in errors.ERROR_OF_CODE.items():
        line = next(line for line in lines if f"── {found.__name__} " in line)
        assert line.endswith(f"{STATUS_OF_CODE[code]} {code}")

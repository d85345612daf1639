"""What `import flowmaestro` offers, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

import flowmaestro


def test_all_is_sorted_and_every_name_is_there() -> None:
    assert flowmaestro.__all__ == sorted(flowmaestro.__all__)
    for name in flowmaestro.__all__:
        assert getattr(flowmaestro, name) is not None
    assert dir(flowmaestro) == flowmaestro.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        flowmaestro.Nonsense  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import flowmaestro", {"pydantic", "httpx2", "typer", "fastapi", "sqlalchemy"}),
        ("from flowmaestro import node, NodeContext", {"httpx2", "openai", "sqlalchemy", "jinja2"}),
        ("from flowmaestro import NodeStarted", {"httpx2", "sqlalchemy", "jinja2"}),
        ("from flowmaestro import FlowMaestroClient", {"sqlalchemy", "fastapi", "jinja2", "typer"}),
        ("import flowmaestro.cli", {"httpx2", "sqlalchemy", "fastapi", "openai", "alembic"}),
        ("import flowmaestro.main.composition", {"opentelemetry.sdk", "requests", "alembic"}),
    ],
)
def test_imports_bring_only_what_they_need(statement: str, unwanted: set[str]) -> None:
    script = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert unwanted.isdisjoint(loaded.stdout.decode().split())

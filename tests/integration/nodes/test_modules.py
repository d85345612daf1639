"""Loading node types from the operator's files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flowmaestro.nodes import NodeModuleError, Registry, Services
from flowmaestro.nodes.testing import run_node

GREETER = """
from __future__ import annotations
from dataclasses import dataclass
from flowmaestro.nodes.decorators import node

@dataclass
class Greeting:
    text: str

@node("greet")
async def greet(name: str) -> Greeting:
    return Greeting(f"Hello {name}")
"""


@pytest.fixture
def builtin() -> Registry:
    return Registry.builtin(Services())


async def test_a_file_is_loaded_by_its_path(builtin: Registry, tmp_path: Path) -> None:
    file = tmp_path / "my nodes.py"
    file.write_text(GREETER)
    registry = builtin.with_module(str(file))
    assert await run_node(registry["greet"], {"name": "Ada"}) == {"text": "Hello Ada"}
    assert set(registry.with_module(str(file))) == set(registry)


async def test_a_module_of_the_current_folder_is_loaded_by_its_name(
    builtin: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "my_company_nodes"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "greeting.py").write_text(GREETER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    registry = builtin.with_module("my_company_nodes.greeting")
    assert "greet" in registry


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("1 +", "SyntaxError"),
        ("raise ValueError('no license')", "ValueError: no license"),
        ("import a_module_that_is_not_there", "needs the module 'a_module_that_is_not_there'"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("x = 1", "nothing in it is decorated"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(
    builtin: Registry, tmp_path: Path, content: str, reason: str
) -> None:
    file = tmp_path / "nodes.py"
    file.write_text(content)
    with pytest.raises(NodeModuleError) as caught:
        builtin.with_module(str(file))
    assert reason in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("name", ["no_such_module", "json.no_such_part", "", ".relative", "no.py"])
def test_a_module_that_is_not_there_is_a_clear_error(builtin: Registry, name: str) -> None:
    with pytest.raises(NodeModuleError, match=r"no such|no module"):
        builtin.with_module(name)


def test_the_decorators_import_nothing_of_the_server() -> None:
    heavy = "{'httpx2', 'openai', 'jinja2', 'sqlalchemy', 'fastapi'}"
    code = f"import sys, flowmaestro.nodes.decorators; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_built_in_types_import_no_client_until_one_is_used() -> None:
    code = (
        "import sys; from flowmaestro.nodes import Registry, Services; "
        "Registry.builtin(Services()); print(sorted({'httpx2', 'openai'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

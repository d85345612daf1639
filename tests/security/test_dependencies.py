"""What is installed is what was locked: pinned, by hash, from no address of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON_LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
NPM_LOCKS = [ROOT / project / "package-lock.json" for project in ("sdk/typescript", "web")]

_REQUIREMENT = re.compile(
    r"[a-z0-9._-]+(\[[a-z0-9,_-]+\])?==[^ ;]+( ; [^\\]+)?( \\)?"
    r"(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+"
)


@pytest.mark.parametrize("path", PYTHON_LOCKS, ids=lambda path: path.name)
def test_every_python_dependency_is_pinned_and_has_a_hash(path: Path) -> None:
    requirements = re.split(r"\n(?! )", path.read_text().strip())
    assert len(requirements) > 10
    for requirement in requirements:
        assert _REQUIREMENT.fullmatch(requirement), requirement[:100]


@pytest.mark.parametrize("path", NPM_LOCKS, ids=lambda path: path.parent.name)
def test_every_npm_dependency_is_pinned_and_has_a_hash(path: Path) -> None:
    packages = json.loads(path.read_text())["packages"]
    assert len(packages) > 10
    for name, package in packages.items():
        if name == "" or package.get("link"):
            continue
        assert package["version"], name
        if name.startswith("node_modules/"):
            assert package["integrity"].startswith("sha512-"), name


def test_installing_insists_on_the_hashes() -> None:
    for line in (ROOT / "Makefile").read_text().splitlines():
        if "pip install" in line and "-r " in line:
            assert "--require-hashes" in line, line
        if "npm " in line and " install" in line:
            pytest.fail(f"npm ci installs what is locked: {line}")


def test_there_is_an_audit_that_takes_no_silence_for_an_answer() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (audit,) = re.findall(r"^audit: .*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert "requirements/*.txt" in audit
    assert "pip-audit --strict" in audit  # else a package that could not be looked up is fine
    assert "npm audit" in audit
    assert all(f"$({project})" in audit for project in ("SDK", "WEB"))

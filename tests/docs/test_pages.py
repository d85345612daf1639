"""The pages hang together: links lead somewhere, and no block is left untested by mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowmaestro.workflow.documents import parse_document
from tests.support.docs_pages import DOCS, ROOT, blocks_of, name_of, pages

NOT_RUN = {"../README.md": 3, "quickstart.md": 2, "operating.md": 5, "page.md": 1}
"""How many blocks a page may hold that no test can run: installations, a machine's own, and what
only shows what is to come."""


def _anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page)) for page in pages()])
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        assert path.is_relative_to(ROOT), target
        if anchor:
            assert anchor in _anchors(path), target


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    for page in pages():
        assert page.name == "README.md" or f"]({page.name})" in index, page.name


def test_few_blocks_are_not_run() -> None:
    found = {
        name_of(page): sum(block.role == "not-run" for block in blocks_of(page)) for page in pages()
    }
    assert {name: count for name, count in found.items() if count} == NOT_RUN


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=path.name) for path in sorted((ROOT / "examples").iterdir())]
)
def test_an_example_file_is_used_by_a_page(path: Path) -> None:
    if path.suffix in (".yaml", ".json"):
        parse_document(path.read_bytes(), "json" if path.suffix == ".json" else "yaml")
    if path.is_file():
        for block in (block for page in pages() for block in blocks_of(page)):
            if block.role == "file" and block.name == path.name:
                assert block.text == path.read_text(), "the page and the example differ"
        assert any(f"examples/{path.name}" in page.read_text() for page in pages())

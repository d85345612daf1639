"""``docs/api.md`` has every route, error, scope and header of the API."""

from __future__ import annotations

import re

from flowmaestro.api.errors import STATUS_OF_CODE
from flowmaestro.api.keys import BUNDLES, SCOPES
from flowmaestro.api.middleware.cors import EXPOSED_HEADERS
from flowmaestro.api.routes import executions, workflows
from flowmaestro.api.routes.parameters import MAX_PER_PAGE
from tests.support.docs_pages import DOCS, code_in, first_codes, rows, section

PAGE = DOCS / "api.md"
ROUTES = (*workflows.ROUTES, *executions.ROUTES)


def test_every_route_has_a_section() -> None:
    shown = re.findall(r"^### `([A-Z]+ /[^`]*)`$", PAGE.read_text(), re.MULTILINE)
    assert set(shown) == {f"{route.method} {route.path}" for route in ROUTES}


def test_every_section_of_a_route_names_its_scopes_and_has_an_example() -> None:
    for route in ROUTES:
        text = section(PAGE, f"{'`'}{route.method} {route.path}{'`'}")
        first = next(line for line in text.splitlines() if line)
        assert first.startswith("Scope"), route.path
        assert "curl" in text or "events.md" in text, route.path


def test_the_errors_are_the_codes() -> None:
    shown = {code_in(row[0])[0]: row[1] for row in rows(section(PAGE, "Answers"))}
    assert shown == {code: str(status) for code, status in STATUS_OF_CODE.items()}


def test_the_scopes_and_bundles_are_the_codes() -> None:
    table = rows(section(PAGE, "Authentication"))
    scopes = [code_in(row[0])[0] for row in table if ":" in row[0]]
    bundles = {code_in(row[0])[0]: set(code_in(row[1])) for row in table if ":" not in row[0]}
    assert set(scopes) == set(SCOPES)
    bundles["full-access"] |= set(SCOPES)
    assert bundles == BUNDLES


def test_the_rate_limit_headers_are_those_that_are_sent() -> None:
    headers = {name for name in EXPOSED_HEADERS if name.startswith("X-RateLimit")}
    assert set(first_codes(section(PAGE, "Rate limits"))) == headers


def test_the_page_sizes_are_the_codes() -> None:
    assert f"(1 to {MAX_PER_PAGE}, by default 20)" in section(PAGE, "Pages")

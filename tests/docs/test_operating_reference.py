"""``docs/operating.md`` has every setting with its default, and every metric."""

from __future__ import annotations

import re
from pathlib import Path

from flowmaestro.main.settings import MIN_SECRET_LENGTH, PREFIX, Settings
from tests.support.docs_pages import DOCS, ROOT, code_in, first_codes, rows, section
from tests.support.server import live_server

PAGE = DOCS / "operating.md"


def _variable(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else PREFIX + name.upper()


def _default(name: str) -> list[str]:
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    if default is None or default == ():
        return []
    return [str(default).lower() if isinstance(default, bool) else str(default)]


def test_every_setting_is_listed_with_its_default() -> None:
    shown = {code_in(row[0])[0]: code_in(row[1]) for row in rows(section(PAGE, "Settings"))}
    assert shown == {_variable(name): _default(name) for name in Settings.model_fields}


def test_settings_that_the_text_names_exist() -> None:
    names = {_variable(name) for name in Settings.model_fields} | {"FLOWMAESTRO_SECRET_NAME"}
    names.add("FLOWMAESTRO_API_KEY")  # the client commands'
    names |= {"OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS"}  # its client's own
    names |= {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}  # everybody's
    for code in code_in(PAGE.read_text()):
        name = code.partition("=")[0]
        if name.startswith("OTEL_"):  # OpenTelemetry's own
            continue
        if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", name):
            assert name in names or PREFIX + name in names, code


def test_every_check_of_the_doctor_is_listed() -> None:
    pattern = re.compile(r'(?:\b(?:ok|warning|problem)\(\s*|\bcheck = )"([a-z_.]+)"')
    sources = (ROOT / "src" / "flowmaestro" / "main" / "doctor").rglob("*.py")
    checks = {name for source in sources for name in pattern.findall(source.read_text())}
    assert len(checks) > 20
    listed = {code for row in rows(section(PAGE, "Doctor")) for code in code_in(row[0])}
    assert listed == checks


async def test_every_metric_is_listed(tmp_path: Path) -> None:
    async with live_server(tmp_path) as server, server.client() as client:
        await client.get("/api/v1/workflows")
        exposed = (await client.get("/metrics")).text
    names = set(re.findall(r"^# TYPE (\w+) ", exposed, re.MULTILINE))
    names = {name for name in names if not name.endswith("_created")}
    assert set(first_codes(section(PAGE, "Metrics"))) == names


def test_the_shortest_secret_is_said() -> None:
    assert f"at least {MIN_SECRET_LENGTH} characters" in section(PAGE, "Secrets")

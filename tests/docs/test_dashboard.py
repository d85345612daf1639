"""The dashboard and the alerts ask for metrics that a server has, in queries that parse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.support.api import create, execute, finish, greeting
from tests.support.docs_pages import ROOT
from tests.support.metrics import Samples, scrape
from tests.support.server import live_server

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/flowmaestro.json").read_text())
ALERTS: dict[str, Any] = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
ROWS = ["Is it healthy?", "Is it losing anything?", "Who is slow?"]
COLUMNS = 24
# Prometheus's own, with what Grafana puts in.
VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$instance": ".*"}
PROMETHEUS_LABELS = {"instance", "job", "le"}


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DASHBOARD["panels"]
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def dashboard_queries() -> Iterator[str]:
    for panel in panels():
        for target in panel.get("targets", ()):
            yield target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["expr"]


def queries() -> list[str]:
    found = []
    for query in (*dashboard_queries(), *(rule["expr"] for rule in rules())):
        for name, value in VARIABLES.items():
            query = query.replace(name, value)
        found.append(query)
    return found


def names_in(query: str) -> set[str]:
    return set(re.findall(r"\b(?:flowmaestro|process)_[a-z_]+\b", query))


@pytest.fixture
async def seen(tmp_path: Path) -> Samples:
    """The metrics of a server that has something to say."""
    async with live_server(tmp_path) as server, server.client() as client:
        await finish(client, await execute(client, await create(client, greeting()), name="Ada"))
        async with server.client(None) as anonymous:
            await anonymous.get("/v1/executions")
        return await scrape(client)


@pytest.mark.parametrize("query", queries())
def test_a_query_parses(query: str) -> None:
    promql_parser.parse(query)


async def test_every_metric_that_is_asked_for_exists_with_its_labels(seen: Samples) -> None:
    for query in queries():
        assert names_in(query), query
        for name in names_in(query):
            assert name in seen.names, f"{name} in {query}"
        for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", query):
            asked = set(re.findall(r"(\w+)=", matchers)) - PROMETHEUS_LABELS
            assert asked <= seen.labels[name], query
        grouped = {
            label
            for labels in re.findall(r"\bby \(([^)]*)\)", query)
            for label in labels.replace(" ", "").split(",")
        }
        known = {label for name in names_in(query) for label in seen.labels[name]}
        assert grouped - PROMETHEUS_LABELS <= known, query


async def test_the_dashboard_shows_every_metric(seen: Samples) -> None:
    shown = {name for query in dashboard_queries() for name in names_in(query)}
    roots = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in shown}
    unshown = {name for name in seen.families - roots if not name.endswith("_created")}
    assert unshown == {"process_virtual_memory_bytes"}


def test_the_rows_are_the_three_questions() -> None:
    assert [panel["title"] for panel in panels() if panel["type"] == "row"] == ROWS


def test_grafana_can_place_every_panel() -> None:
    assert DASHBOARD["uid"] == "flowmaestro"
    assert isinstance(DASHBOARD["schemaVersion"], int)
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    boxes = []
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        boxes.append((place["x"], place["y"], place["x"] + place["w"], place["y"] + place["h"]))
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["targets"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
        for source in (panel, *panel["targets"]):
            assert source["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for (left, top, right, bottom), (x, y, end, low) in combinations(boxes, 2):
        assert right <= x or end <= left or bottom <= y or low <= top


def test_its_variables_are_all_there() -> None:
    defined = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\b", json.dumps(DASHBOARD)))
    assert used == defined


def test_every_alert_says_how_urgent_it_is_and_what_is_the_matter() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for group in ALERTS["groups"]:
        assert set(group) == {"name", "rules"}
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m")), rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description"}

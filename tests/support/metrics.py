"""Reading what ``/metrics`` says."""

from __future__ import annotations

import httpx2
from prometheus_client.parser import text_string_to_metric_families


class Samples:
    """The samples of one answer, by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self.names: set[str] = set()
        """Every sample's name, ``_bucket``, ``_sum`` and ``_count`` included."""
        self.labels: dict[str, set[str]] = {}
        """By a sample's name, the names of its labels."""
        self.families: set[str] = set()
        """Names as ``# TYPE`` lines give them."""
        for family in text_string_to_metric_families(text):
            self.families.add(family.name)
            for sample in family.samples:
                self.names.add(sample.name)
                self.labels.setdefault(sample.name, set()).update(sample.labels)
                self._values[sample.name, frozenset(sample.labels.items())] = sample.value

    def __call__(self, name: str, **labels: str) -> float:
        """Return a value; 0 if there is none, which is what a counter begins with."""
        return self._values.get((f"flowmaestro_{name}", frozenset(labels.items())), 0.0)


async def scrape(client: httpx2.AsyncClient) -> Samples:
    response = await client.get("/metrics")
    assert response.status_code == 200, response.text
    return Samples(response.text)

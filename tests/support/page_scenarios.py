"""Workflows that the page is tested with and shown with."""

from __future__ import annotations

from typing import Any

NODES = ("tests.support.page_nodes",)
"""The setting with which a server has what these workflows use."""

REVIEWS = [
    "The grinder arrived broken and nobody answers.",
    "Great coffee, and it was here in two days.",
    "The lid does not fit. Otherwise fine.",
    "Best present I have given in years.",
    "Broken hinge, second time. I want my money back.",
    "Does what it says.",
]


def feedback(*, pace_ms: int = 300, failing: bool = False) -> dict[str, Any]:
    """A workflow with everything that can be seen: branches, a loop, a retry, a skipped step."""

    def paced(factor: float) -> int:
        return round(pace_ms * factor)

    letter: dict[str, Any] = {
        "type": "fetch",
        "name": "Write the reply",
        "config": {
            "duration_ms": paced(3),
            "value": {"letter": "Dear customer, …", "tone": "apologetic"},
        },
    }
    if failing:
        letter["config"] |= {
            "failures": 9,
            "error": "https://mail.example.com:443 answered with status 502: bad gateway",
        }
        letter["retry"] = {"max_attempts": 3, "initial_delay_ms": paced(0.6)}
    return {
        "id": "feedback",
        "name": "Customer feedback",
        "description": "Reads new reviews, answers the urgent ones, reports on the rest.",
        "nodes": {
            "since": {
                "type": "input",
                "name": "Since",
                "config": {"input_name": "since", "default_value": "2025-03-01"},
            },
            "reviews": {
                "type": "fetch",
                "name": "Fetch the reviews",
                "config": {"duration_ms": paced(2), "failures": 1, "value": {"reviews": REVIEWS}},
                "retry": {"max_attempts": 3, "initial_delay_ms": paced(1.5)},
            },
            "orders": {
                "type": "fetch",
                "name": "Look the orders up",
                "config": {"duration_ms": paced(5), "value": {"orders": 214, "returns": 9}},
            },
            "each": {
                "type": "loop",
                "name": "Judge each review",
                "config": {
                    "items": "{{ reviews.reviews }}",
                    "item_variable": "review",
                    "max_concurrency": 2,
                    "body": {
                        "nodes": {
                            "judge": {
                                "type": "classify",
                                "config": {"text": "{{ review }}", "duration_ms": paced(2)},
                            },
                            "note": {
                                "type": "output",
                                "config": {"output_name": "urgent", "value": "{{ judge.urgent }}"},
                            },
                        },
                        "edges": [
                            {"source": "judge", "source_handle": "urgent", "target": "note"},
                            {"source": "judge", "source_handle": "ordinary", "target": "note"},
                        ],
                    },
                },
            },
            "triage": {
                "type": "conditional",
                "name": "Is any of them urgent?",
                "config": {
                    "expression": "{{ each.results | selectattr('urgent') | list | length > 0 }}"
                },
            },
            "reply": letter,
            "archive": {
                "type": "fetch",
                "name": "Archive them",
                "config": {"duration_ms": paced(1)},
            },
            "report": {
                "type": "transform",
                "name": "Write the report",
                "config": {
                    "value": {
                        "reviews": "{{ reviews.reviews | length }}",
                        "orders": "{{ orders.orders }}",
                        "period": {"since": "{{ since }}", "days": 7},
                    }
                },
            },
            "done": {
                "type": "output",
                "name": "Report",
                "config": {"output_name": "report", "value": "{{ report }}"},
            },
        },
        "edges": [
            {"source": "since", "target": "reviews"},
            {"source": "since", "target": "orders"},
            {"source": "reviews", "target": "each"},
            {"source": "each", "target": "triage"},
            {"source": "triage", "source_handle": "true", "target": "reply"},
            {"source": "triage", "source_handle": "false", "target": "archive"},
            {"source": "reply", "target": "report"},
            {"source": "archive", "target": "report"},
            {"source": "orders", "target": "report"},
            {"source": "report", "target": "done"},
        ],
    }


def layered(layers: int, width: int) -> dict[str, Any]:
    """A large workflow: *layers* of *width* nodes, every node fed by two of the layer before."""
    nodes = {
        f"n{layer}_{row}": {
            "type": "transform",
            "name": f"Step {layer}.{row}",
            "config": {"value": {"layer": layer, "row": row}},
        }
        for layer in range(layers)
        for row in range(width)
    }
    edges = [
        {"source": f"n{layer - 1}_{before % width}", "target": f"n{layer}_{row}"}
        for layer in range(1, layers)
        for row in range(width)
        for before in sorted({row, (row + 1) % width})
    ]
    return {"name": f"{layers} times {width}", "nodes": nodes, "edges": edges}

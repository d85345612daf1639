"""The servers that can be tortured, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torture.subject import Subject
from torture.subjects.flowmaestro import FlowMaestro
from torture.subjects.in_memory import InMemory

SUBJECTS: Mapping[str, Callable[[], Subject]] = {
    FlowMaestro.name: FlowMaestro,
    InMemory.name: InMemory,
}

__all__ = ["SUBJECTS", "FlowMaestro", "InMemory"]

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def module() -> Callable[..., ModuleType]:
    """Make a module that holds the given decorated functions."""

    def make(*functions: Any) -> ModuleType:
        made = ModuleType("steered_nodes")
        for function in functions:
            setattr(made, function.__name__, function)
        return made

    return make

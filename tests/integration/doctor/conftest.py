from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's own FlowMaestro is in the environment."""
    for name in list(os.environ):
        if name.startswith(("FLOWMAESTRO_", "OPENAI_")):
            monkeypatch.delenv(name)

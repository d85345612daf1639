"""The settings, the modules of node types, and what the stored workflows need of both."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from flowmaestro.main.doctor.findings import Finding, ok, problem, warning
from flowmaestro.main.parts import load_registry, node_services
from flowmaestro.main.settings import DEFAULT_PROVIDER, InvalidSettings, Settings
from flowmaestro.nodes import Registry
from flowmaestro.storage.upkeep.texts import count_text

_WORKFLOWS_READ = 1_000
_NAMED = 3
_MODEL_TYPES = frozenset({"ai_chat", "llm", "router"})
_NEWEST_DOCUMENTS = """
SELECT workflows.id, workflow_versions.document
FROM workflows JOIN workflow_versions
  ON workflow_versions.workflow_id = workflows.id
 AND workflow_versions.version = workflows.version
WHERE workflows.deleted_at IS NULL
ORDER BY workflows.position DESC LIMIT ?
"""


def check_node_modules(settings: Settings) -> tuple[Finding, Registry | None]:
    """Return whether the node types can be loaded, and them."""
    try:
        # They connect when they are first used, which they are not: there is nothing to close.
        registry = load_registry(settings.nodes, node_services(settings))
    except InvalidSettings as error:
        advice = "mend the module, or take it out of FLOWMAESTRO_NODES"
        return problem("nodes", str(error).rstrip("."), advice), None
    count = len(registry)
    modules = f" and of {', '.join(settings.nodes)}" if settings.nodes else ""
    return ok("nodes", f"{count} node types: the built-in ones{modules}"), registry


def check_workflows(
    connection: sqlite3.Connection, settings: Settings, registry: Registry | None
) -> Iterator[Finding]:
    """Yield whether the newest stored workflows find their node types and model providers."""
    missing_types: dict[str, str] = {}
    missing_providers: dict[str, str] = {}
    types = None if registry is None else frozenset(registry)
    count = 0
    for workflow_id, document in connection.execute(_NEWEST_DOCUMENTS, (_WORKFLOWS_READ,)):
        count += 1
        for node in _nodes(json.loads(document)):
            node_type = node.get("type")
            if not isinstance(node_type, str):
                continue
            if types is not None and node_type not in types:
                missing_types.setdefault(node_type, workflow_id)
            if node_type in _MODEL_TYPES:
                config = node.get("config")
                provider = config.get("provider") if isinstance(config, dict) else None
                if not _is_set(settings, provider or DEFAULT_PROVIDER):
                    missing_providers.setdefault(str(provider or DEFAULT_PROVIDER), workflow_id)
    if missing_types:
        yield problem(
            "workflows",
            "no module provides " + _list_uses(missing_types, "node type"),
            "name the module that does in FLOWMAESTRO_NODES",
        )
    if missing_providers:
        yield warning(
            "providers",
            "no settings for " + _list_uses(missing_providers, "provider"),
            "set OPENAI_API_KEY, OPENAI_BASE_URL or FLOWMAESTRO_PROVIDERS",
        )
    if not missing_types:
        yield ok("workflows", f"every node type of {count_text(count, 'workflow')} is there")
    if not missing_providers:
        named = [name for name in settings.providers if _is_set(settings, name)]
        yield ok("providers", ", ".join(named) or "none is set, and no workflow asks a model")


def _nodes(document: Any) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a definition, and of those inside it."""
    nodes = document.get("nodes") if isinstance(document, dict) else None
    if not isinstance(nodes, dict):
        return
    for node in nodes.values():
        if isinstance(node, dict):
            yield node
            config = node.get("config")
            yield from _nodes(config.get("body") if isinstance(config, dict) else None)


def _is_set(settings: Settings, provider: Any) -> bool:
    found = settings.providers.get(str(provider))
    return found is not None and (found.api_key is not None or found.base_url is not None)


def _list_uses(uses: dict[str, str], what: str) -> str:
    shown = [f"{what} {name!r} (workflow {by})" for name, by in list(uses.items())[:_NAMED]]
    more = len(uses) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")

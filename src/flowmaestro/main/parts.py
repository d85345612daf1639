"""What a server and a run without one are both made of, from the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowmaestro.engine import EngineOptions
from flowmaestro.main.settings import InvalidSettings, Settings
from flowmaestro.nodes import AllowedNetworks, HttpOptions, Provider, Registry, RegistryError
from flowmaestro.nodes import Services as NodeServices
from flowmaestro.storage import Execution
from flowmaestro.workflow.trace_context import TraceContext


def node_services(settings: Settings, *, by_default: Sequence[str] = ()) -> NodeServices:
    """Return the clients of the nodes; they connect when they are first used.

    :param by_default: what ``http`` nodes may reach if ``http_allowed_networks`` is not set.
    """
    networks = settings.http_allowed_networks
    allowed = AllowedNetworks.parse(by_default if networks is None else networks)
    return NodeServices(
        providers={
            name: Provider(
                base_url=provider.base_url,
                api_key=provider.api_key.get_secret_value() if provider.api_key else None,
            )
            for name, provider in settings.providers.items()
        },
        http=HttpOptions(
            allowed_networks=allowed,
            traceparent_hosts=tuple(host.lower() for host in settings.trace_hosts),
        ),
    )


def load_registry(modules: Sequence[str], services: NodeServices) -> Registry:
    """Return the built-in node types and those of *modules*.

    Raises:
        InvalidSettings: a module cannot be imported, or what it defines cannot be a node type.
    """
    registry = Registry.builtin(services)
    for name in modules:
        try:
            registry = registry.with_module(name)
        except RegistryError as error:
            raise InvalidSettings(f"FLOWMAESTRO_NODES: {error}") from error
    return registry


def engine_options(
    settings: Settings, *, trace: Callable[[Execution], TraceContext | None] | None = None
) -> EngineOptions:
    """Return the engine's bounds, the secrets that nodes may use, and what says which trace an
    execution is part of."""
    return EngineOptions(
        max_running_nodes=settings.max_concurrent_nodes,
        max_active_executions=settings.max_concurrent_executions,
        max_unfinished_executions=settings.max_unfinished_executions,
        max_starting_executions=settings.max_starting_executions,
        max_start_delay_seconds=settings.max_start_delay_seconds,
        default_node_timeout_ms=_milliseconds(settings.node_timeout_seconds),
        default_execution_timeout_ms=_milliseconds(settings.execution_timeout_seconds),
        max_execution_bytes=settings.max_execution_bytes,
        max_execution_nodes=settings.max_execution_nodes,
        trace=trace,
        secrets={name: value.get_secret_value() for name, value in settings.secrets.items()},
    )


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1000))

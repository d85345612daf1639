"""``router``: a model picks one of several ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from flowmaestro.nodes.builtin.ai_chat import ModelConfig, outputs_of, request_of
from flowmaestro.nodes.chat import ask
from flowmaestro.nodes.config import Text
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.errors import NodeError
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.results import Routed
from flowmaestro.nodes.services import Services
from flowmaestro.workflow.catalog import NodeTypeSpec

SHOWN_ANSWER_CHARACTERS = 100
_INSTRUCTIONS = "Choose the route that fits best. Answer with its name alone, nothing else. Routes:"


class Route(BaseModel):
    """One way that a model may pick."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    value: str = Field(min_length=1, description="The route's name: its handle, and the answer.")
    label: str | None = Field(default=None, description="What people read.")
    description: str | None = Field(default=None, description="When to pick it; for the model.")


class RouterConfig(ModelConfig):
    """Lets a model pick one of several routes, each a way out of the node."""

    prompt: Text = Field(description="What to decide about.")
    routes: list[Route] = Field(min_length=1, description="The routes to choose from.")
    default_route: str | None = Field(
        default=None,
        min_length=1,
        description="The way to take when the answer names no route; without it the node fails.",
    )

    @field_validator("routes")
    @classmethod
    def _each_value_once(cls, routes: list[Route]) -> list[Route]:
        seen: set[str] = set()
        for route in routes:
            if route.value in seen:
                raise ValueError(f"two routes have the value {route.value!r}")
            seen.add(route.value)
        return routes


def make_router(services: Services) -> NodeType:
    """Return the ``router`` type, which asks the providers of *services*."""

    async def run(config: RouterConfig, context: NodeContext) -> Routed:  # noqa: ARG001
        """Ask once and return the way that the answer names.

        :raises NodeError: ``no_route``, if it names none and there is no default; and as
            :func:`~flowmaestro.nodes.chat.ask` does.
        """
        listed = "\n".join(_listing(route) for route in config.routes)
        told = "\n\n".join(filter(None, [config.system_prompt, f"{_INSTRUCTIONS}\n{listed}"]))
        question = [{"role": "user", "content": config.prompt}]
        answer = await ask(services, request_of(config, told, question))
        route = pick(answer.text, [route.value for route in config.routes]) or config.default_route
        if route is None:
            raise NodeError(
                "the model's answer names no route: "
                f"{' '.join(answer.text.split())[:SHOWN_ANSWER_CHARACTERS]!r}",
                code="no_route",
            )
        return Routed(route, {"route": route, **outputs_of(answer)})

    spec = NodeTypeSpec(
        name="router",
        config_model=RouterConfig,
        handles=handles,
        description="Lets a model pick one of several ways.",
    )
    return NodeType(spec, run)


def pick(answer: str, values: Sequence[str]) -> str | None:
    """Return the one of *values* that a model's *answer* names, or ``None``.

    It is the answer itself, whatever its case and the quotes and stops around it, or the only
    value that occurs in it as a word of its own.
    """
    said = _bare(answer)
    for same in (lambda value: value == answer.strip(), lambda value: _bare(value) == said):
        matching = [value for value in values if same(value)]
        if len(matching) == 1:
            return matching[0]
    # The longest first, each taken out: "refund" does not count inside "partial refund".
    found = []
    for value in sorted(values, key=len, reverse=True):
        without = _without_word(said, _bare(value))
        if without != said:
            found.append(value)
            said = without
    return found[0] if len(found) == 1 else None


def handles(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the handles of a raw config, whatever its shape."""
    routes = config.get("routes")
    values = [
        route.get("value")
        for route in (routes if isinstance(routes, list) else [])
        if isinstance(route, dict)
    ]
    values.append(config.get("default_route", config.get("defaultRoute")))
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str) and value))


def _listing(route: Route) -> str:
    about = route.description or route.label
    return f"- {route.value}: {about}" if about else f"- {route.value}"


def _bare(text: str) -> str:
    return text.strip(" \t\r\n\"'`*.,:;!").casefold()


def _without_word(text: str, word: str) -> str:
    """Return *text* with every occurrence of *word* between non-word characters blanked out."""
    if not word:
        return text
    start = 0
    while (start := text.find(word, start)) >= 0:
        end = start + len(word)
        if not _is_word(text[start - 1 : start]) and not _is_word(text[end : end + 1]):
            text = text[:start] + " " * len(word) + text[end:]
        start = end
    return text


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"

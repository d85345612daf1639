"""``ai_chat``, also spelled ``llm``: asks a model."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flowmaestro.nodes.chat import ChatAnswer, ChatRequest, ask
from flowmaestro.nodes.config import NodeConfig, Text, TimeoutMs
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.services import Services
from flowmaestro.workflow.catalog import NodeTypeSpec

DEFAULT_TIMEOUT_MS = 120_000


class ModelConfig(NodeConfig):
    """Which model to ask, and how."""

    provider: str | None = Field(
        default=None, description="A provider of the server's settings; `openai` by default."
    )
    model: str = Field(min_length=1, description="The model's name at the provider.")
    system_prompt: Text | None = Field(default=None, description="What the model is told first.")
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="How freely it answers; the provider's default."
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="The longest answer, in tokens; the provider's default."
    )
    timeout_ms: TimeoutMs = Field(
        default=DEFAULT_TIMEOUT_MS, description="How long the answer may take, in milliseconds."
    )


class ChatMessage(BaseModel):
    """One message of an earlier conversation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Literal["system", "developer", "user", "assistant"] = Field(description="Who said it.")
    content: Text = Field(description="What was said.")


class AiChatConfig(ModelConfig):
    """Asks a model and gives its answer: `text`, `usage` and `model`."""

    prompt: Text | None = Field(default=None, description="The question.")
    messages: list[ChatMessage] = Field(
        default_factory=list, description="The conversation before the prompt, oldest first."
    )

    @model_validator(mode="after")
    def _something_to_ask(self) -> Self:
        if self.prompt is None and not self.messages:
            raise ValueError("give a `prompt`, or `messages`")
        return self


def make_ai_chat(name: str, services: Services) -> NodeType:
    """Return the ``ai_chat`` type under *name*; it asks the providers of *services*."""

    async def run(config: AiChatConfig, context: NodeContext) -> dict[str, Any]:  # noqa: ARG001
        """Ask once. Raises as :func:`~flowmaestro.nodes.chat.ask` does."""
        messages = [{"role": item.role, "content": item.content} for item in config.messages]
        if config.prompt is not None:
            messages.append({"role": "user", "content": config.prompt})
        return outputs_of(await ask(services, request_of(config, config.system_prompt, messages)))

    spec = NodeTypeSpec(
        name=name,
        config_model=AiChatConfig,
        description="Asks a model and gives its answer.",
    )
    return NodeType(spec, run)


def request_of(
    config: ModelConfig, system_prompt: str | None, messages: list[dict[str, str]]
) -> ChatRequest:
    """Return the request for *messages*, which *system_prompt* goes before."""
    first = [{"role": "system", "content": system_prompt}] if system_prompt else []
    return ChatRequest(
        provider=config.provider,
        model=config.model,
        messages=first + messages,
        temperature=config.temperature,
        max_tokens=config.max_tokens,
        timeout_ms=config.timeout_ms,
    )


def outputs_of(answer: ChatAnswer) -> dict[str, Any]:
    """Return an answer as a node's outputs."""
    return {"text": answer.text, "usage": answer.usage.model_dump(), "model": answer.model}

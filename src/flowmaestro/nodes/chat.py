"""Asking a model at an OpenAI-compatible endpoint, once and within bounds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

from flowmaestro.nodes.errors import NodeError
from flowmaestro.nodes.services import DEFAULT_PROVIDER, Services

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

MAX_ANSWER_BYTES = 16 * 1_048_576
SHOWN_ERROR_CHARACTERS = 300
RETRYABLE_STATUSES = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to a model; ``None`` leaves a setting to the provider."""

    provider: str | None
    model: str
    messages: list[dict[str, str]]
    temperature: float | None
    max_tokens: int | None
    timeout_ms: int


class Usage(BaseModel):
    """What the answer cost in tokens; ``None`` where the provider does not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """What the model said, and which one it was."""

    text: str
    usage: Usage
    model: str


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: Usage | None = None
    model: str | None = None


async def ask(services: Services, request: ChatRequest) -> ChatAnswer:
    """Send *request* and return the answer.

    :raises NodeError: ``unknown_provider``, ``missing_api_key``, ``provider_refused_key``,
        ``provider_refused_request``, ``provider_out_of_quota``, ``model_refused`` and
        ``response_too_large``, which another attempt would not help; ``provider_rate_limited``,
        ``provider_error``, ``provider_timeout``, ``provider_unreachable`` and
        ``invalid_provider_response``, which it may.

    Cancelling closes the connection.
    """
    client = await services.chat_client(request.provider)
    name = request.provider or DEFAULT_PROVIDER

    import httpx2
    import openai

    try:
        async with asyncio.timeout(request.timeout_ms / 1_000):
            content = await _exchange(client, request)
    except (TimeoutError, openai.APITimeoutError) as error:
        raise NodeError(
            f"the provider {name!r} did not answer within {request.timeout_ms} ms",
            code="provider_timeout",
        ) from error
    except openai.APIStatusError as error:
        raise _refusal(name, client, error) from error
    except (openai.APIConnectionError, httpx2.HTTPError) as error:
        raise NodeError(
            f"the provider {name!r} cannot be reached: {_reason(error)}",
            code="provider_unreachable",
        ) from error
    except openai.OpenAIError as error:
        raise NodeError(
            f"the provider {name!r} sent an answer that cannot be used",
            code="invalid_provider_response",
        ) from error
    if content is None:
        raise NodeError(
            f"the answer of the provider {name!r} is larger than {MAX_ANSWER_BYTES} bytes",
            code="response_too_large",
            retryable=False,
        )
    return _read(name, request.model, content)


async def _exchange(client: AsyncOpenAI, request: ChatRequest) -> bytes | None:
    """Return the response's body, or ``None`` if it is too large."""
    settings: dict[str, Any] = {}
    if request.temperature is not None:
        settings["temperature"] = request.temperature
    if request.max_tokens is not None:
        settings["max_tokens"] = request.max_tokens
    messages: list[Any] = list(request.messages)
    content = bytearray()
    async with client.chat.completions.with_streaming_response.create(
        model=request.model,
        messages=messages,
        timeout=None,  # the whole exchange is bounded instead of each of its steps
        **settings,
    ) as response:
        async for chunk in response.iter_bytes():
            content += chunk
            if len(content) > MAX_ANSWER_BYTES:
                return None
    return bytes(content)


def _read(name: str, model: str, content: bytes) -> ChatAnswer:
    try:
        completion = _Completion.model_validate_json(content)
    except ValidationError as error:
        raise NodeError(
            f"the provider {name!r} answered with something that is no chat completion",
            code="invalid_provider_response",
        ) from error
    message = completion.choices[0].message
    if message.content is None:
        if message.refusal:
            raise NodeError(
                f"the model refused: {message.refusal[:SHOWN_ERROR_CHARACTERS]}",
                code="model_refused",
                retryable=False,
            )
        raise NodeError(
            f"the provider {name!r} answered without a text", code="invalid_provider_response"
        )
    return ChatAnswer(message.content, completion.usage or Usage(), completion.model or model)


def _refusal(name: str, client: AsyncOpenAI, error: APIStatusError) -> NodeError:
    status = error.status_code
    if status == 401:
        # What the provider says of it may repeat the key.
        return NodeError(
            f"the provider {name!r} refused its API key (status 401)",
            code="provider_refused_key",
            retryable=False,
        )
    said = error.body.get("message") if isinstance(error.body, dict) else None
    reason = " ".join(said.split())[:SHOWN_ERROR_CHARACTERS] if isinstance(said, str) else ""
    reason = reason.replace(client.api_key, "***")
    sentence = f"the provider {name!r} answered with status {status}"
    sentence += f": {reason}" if reason else ""
    if error.code == "insufficient_quota":
        return NodeError(sentence, code="provider_out_of_quota", retryable=False)
    if status == 429:
        return NodeError(sentence, code="provider_rate_limited")
    if status >= 500 or status in RETRYABLE_STATUSES:
        return NodeError(sentence, code="provider_error")
    return NodeError(sentence, code="provider_refused_request", retryable=False)


def _reason(error: BaseException) -> str:
    """Return the system's own word for why a connection failed, or the library's."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        text, cause = str(cause), cause.__cause__ or cause.__context__
    return text or "the connection was lost"

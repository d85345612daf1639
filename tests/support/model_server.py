"""An OpenAI-compatible endpoint on loopback: chat completions that a test scripts."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from flowmaestro.nodes.services import Provider

from .http_server import HttpServer, ReceivedRequest, hang, http_server, json_response

USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


@dataclass(frozen=True)
class Says:
    """An answer of the model's."""

    text: str


@dataclass(frozen=True)
class Refuses:
    """An error as the API gives it."""

    status: int
    message: str = "no"
    code: str | None = None


@dataclass(frozen=True)
class Sends:
    """These bytes, whatever they are, in place of a response."""

    raw: bytes


@dataclass(frozen=True)
class Hangs:
    """Nothing, for ever."""


Answer = Says | Refuses | Sends | Hangs


@dataclass
class ModelServer:
    """The endpoint. Each request takes the next of ``answers``; the last one stays."""

    http: HttpServer
    answers: deque[Answer] = field(default_factory=deque)

    @property
    def base_url(self) -> str:
        return f"{self.http.url}/v1"

    @property
    def provider(self) -> Provider:
        """The endpoint as a provider of the server's settings."""
        return Provider(base_url=self.base_url, api_key="sk-test-key")

    @property
    def requests(self) -> list[ReceivedRequest]:
        return self.http.requests

    def next_answer(self) -> Answer:
        return self.answers.popleft() if len(self.answers) > 1 else self.answers[0]


@contextlib.asynccontextmanager
async def model_server(*answers: Answer) -> AsyncIterator[ModelServer]:
    """Serve *answers* in turn until the block ends; "Hello!" if there are none."""
    script = deque(answers or (Says("Hello!"),))
    model: ModelServer

    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if request.path != "/v1/chat/completions":
            writer.write(json_response({"error": {"message": "no such path"}}, 404))
            return
        match model.next_answer():
            case Says(text):
                writer.write(json_response(completion(text, request.json()["model"])))
            case Refuses(status, message, code):
                error = {"error": {"message": message, "type": "error", "code": code}}
                writer.write(json_response(error, status))
            case Sends(raw):
                writer.write(raw)
                await writer.drain()
                writer.close()
            case Hangs():
                await hang(request, writer)

    async with http_server(answer) as http:
        model = ModelServer(http, script)
        yield model


def completion(text: str | None, model: str = "small", **message: Any) -> dict[str, Any]:
    """Return a chat completion as the API gives it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": USAGE,
    }

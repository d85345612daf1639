"""``ai_chat`` and ``router`` against a real OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from flowmaestro.nodes import HttpOptions, NodeError, Provider, Registry, Routed, Services
from flowmaestro.nodes.testing import run_node
from tests.support.http_server import json_response, response
from tests.support.model_server import (
    USAGE,
    Hangs,
    ModelServer,
    Refuses,
    Says,
    Sends,
    completion,
    model_server,
)

ROUTES = [
    {"value": "billing", "label": "Money", "description": "invoices and refunds"},
    {"value": "technical", "label": "Broken things"},
    {"value": "other"},
]


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as server:
        yield server


@pytest.fixture
async def registry(model: ModelServer) -> AsyncIterator[Registry]:
    services = Services(
        providers={"openai": model.provider, "local": Provider(base_url=model.base_url)},
        http=HttpOptions(use_environment=False),
    )
    yield Registry.builtin(services)
    await services.aclose()


async def chat(registry: Registry, **config: Any) -> Any:
    return await run_node(registry["ai_chat"], {"model": "small", "prompt": "Hi", **config})


async def chat_failure(registry: Registry, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await chat(registry, **config)
    return caught.value


async def route(registry: Registry, **config: Any) -> Any:
    base = {"model": "small", "prompt": "My invoice is wrong", "routes": ROUTES}
    return await run_node(registry["router"], {**base, **config})


def says(model: ModelServer, *texts: str) -> None:
    model.answers.clear()
    model.answers.extend(Says(text) for text in texts)


async def test_the_answer_is_given_with_what_it_cost(registry: Registry) -> None:
    assert await chat(registry) == {"text": "Hello!", "usage": USAGE, "model": "small"}


async def test_the_request_is_sent_as_configured(registry: Registry, model: ModelServer) -> None:
    await run_node(
        registry["llm"],
        {
            "model": "large",
            "systemPrompt": "Be brief.",
            "messages": [{"role": "assistant", "content": "Yes?"}],
            "prompt": {"question": 1},
            "temperature": 0.2,
            "maxTokens": 50,
        },
    )
    (request,) = model.requests
    assert request.headers["authorization"] == "Bearer sk-test-key"
    assert request.json() == {
        "model": "large",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": '{"question":1}'},
        ],
        "temperature": 0.2,
        "max_tokens": 50,
    }


async def test_settings_that_are_not_given_are_left_to_the_provider(
    registry: Registry, model: ModelServer
) -> None:
    await chat(registry, provider="local")
    assert set(model.requests[0].json()) == {"model", "messages"}


async def test_usage_that_a_provider_does_not_report_is_null(
    registry: Registry, model: ModelServer
) -> None:
    bare = {"choices": [{"message": {"content": ""}}]}
    model.answers[0] = Sends(json_response(bare))
    usage = dict.fromkeys(USAGE)
    assert await chat(registry) == {"text": "", "usage": usage, "model": "small"}


async def test_an_unknown_provider_lists_the_configured_ones(registry: Registry) -> None:
    error = await chat_failure(registry, provider="nobody")
    assert (error.code, error.retryable) == ("unknown_provider", False)
    assert "'nobody'" in error.message
    assert "'openai', 'local'" in error.message


async def test_a_missing_key_is_a_clear_error() -> None:
    registry = Registry.builtin(Services(providers={"openai": Provider()}))
    error = await chat_failure(registry)
    assert (error.code, error.retryable) == ("missing_api_key", False)
    assert "OPENAI_API_KEY" in error.message


@pytest.mark.parametrize(
    ("refusal", "code", "retryable"),
    [
        (Refuses(400, "bad model"), "provider_refused_request", False),
        (Refuses(403, "not yours"), "provider_refused_request", False),
        (Refuses(404, "no model"), "provider_refused_request", False),
        (Refuses(429, "slow down"), "provider_rate_limited", True),
        (Refuses(429, "pay", "insufficient_quota"), "provider_out_of_quota", False),
        (Refuses(500, "oops"), "provider_error", True),
        (Refuses(503, "busy"), "provider_error", True),
    ],
)
async def test_refusals_say_why_and_whether_to_try_again(
    registry: Registry, model: ModelServer, refusal: Refuses, code: str, retryable: bool
) -> None:
    model.answers[0] = refusal
    error = await chat_failure(registry)
    assert (error.code, error.retryable) == (code, retryable)
    assert f"status {refusal.status}: {refusal.message}" in error.message
    assert len(model.requests) == 1, "retrying is the workflow's business"


async def test_a_refused_key_is_not_repeated(registry: Registry, model: ModelServer) -> None:
    model.answers[0] = Refuses(401, "Incorrect API key provided: sk-test-key")
    error = await chat_failure(registry)
    assert (error.code, error.retryable) == ("provider_refused_key", False)
    assert "sk-test-key" not in error.message
    model.answers[0] = Refuses(400, "your key sk-test-key cannot do this")
    assert "sk-test-key" not in (await chat_failure(registry)).message


@pytest.mark.parametrize(
    "garbage",
    [
        b"garbage\r\n\r\n",
        response(200, "<html>", content_type="text/html"),
        response(200, "{", content_type="application/json"),
        response(200, "", content_type="application/json"),
        json_response([]),
        json_response({"choices": []}),
        json_response({"choices": [{"message": {"content": 5}}]}),
        json_response(completion(None)),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
    ],
)
async def test_an_answer_that_is_garbage_is_a_clear_error(
    registry: Registry, model: ModelServer, garbage: bytes
) -> None:
    model.answers[0] = Sends(garbage)
    error = await chat_failure(registry)
    assert error.code in ("invalid_provider_response", "provider_unreachable")
    assert error.retryable
    assert "'openai'" in error.message


async def test_a_refusal_of_the_model_s_fails_for_good(
    registry: Registry, model: ModelServer
) -> None:
    model.answers[0] = Sends(json_response(completion(None, refusal="I would rather not.")))
    error = await chat_failure(registry)
    assert (error.code, error.retryable) == ("model_refused", False)
    assert "I would rather not." in error.message


async def test_a_provider_that_hangs_is_left_in_time(
    registry: Registry, model: ModelServer
) -> None:
    model.answers[0] = Hangs()
    error = await chat_failure(registry, timeout_ms=200)
    assert (error.code, error.retryable) == ("provider_timeout", True)
    assert "within 200 ms" in error.message
    await model.http.left.wait()


async def test_cancelling_closes_the_connection(registry: Registry, model: ModelServer) -> None:
    model.answers[0] = Hangs()
    asking = asyncio.ensure_future(chat(registry))
    await model.http.arrived.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await model.http.left.wait()


async def test_a_provider_that_is_not_there_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        provider = Provider(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        services = Services(providers={"openai": provider}, http=HttpOptions(use_environment=False))
        error = await chat_failure(Registry.builtin(services))
        await services.aclose()
    assert (error.code, error.retryable) == ("provider_unreachable", True)
    assert "'openai' cannot be reached" in error.message


def test_a_key_is_in_no_repr() -> None:
    assert "sk-secret" not in repr(Provider(api_key="sk-secret"))


def test_there_must_be_something_to_ask(registry: Registry) -> None:
    chat_model = registry.catalog["ai_chat"].config_model
    for config in ({"model": "m"}, {"prompt": "x"}, {"model": "m", "prompt": "x", "maxTokens": 0}):
        with pytest.raises(ValidationError):
            chat_model.model_validate(config)


@pytest.mark.parametrize(
    "answer",
    [
        "billing",
        " Billing.\n",
        '"billing"',
        "**billing**",
        "The best route is billing, I think.",
        "Route: BILLING (not rebilling)",
    ],
)
async def test_the_router_takes_the_route_that_the_answer_names(
    registry: Registry, model: ModelServer, answer: str
) -> None:
    says(model, answer)
    result = await route(registry)
    assert result == Routed(
        "billing", {"route": "billing", "text": answer, "usage": USAGE, "model": "small"}
    )


@pytest.mark.parametrize("answer", ["", "refunds", "billing or technical", "rebilling", "bill"])
async def test_an_answer_that_names_no_single_route_takes_the_default(
    registry: Registry, model: ModelServer, answer: str
) -> None:
    says(model, answer)
    result = await route(registry, defaultRoute="human")
    assert result.handle == "human"
    with pytest.raises(NodeError, match="names no route") as caught:
        await route(registry)
    assert (caught.value.code, caught.value.retryable) == ("no_route", True)


async def test_a_route_inside_a_longer_route_s_name_does_not_count(
    registry: Registry, model: ModelServer
) -> None:
    routes = [{"value": "refund"}, {"value": "partial refund"}]
    says(model, "I choose partial refund", "It is a refund", "Refund; or partial refund")
    assert (await route(registry, routes=routes)).handle == "partial refund"
    assert (await route(registry, routes=routes)).handle == "refund"
    assert (await route(registry, routes=routes, default_route="none")).handle == "none"


async def test_the_model_is_told_the_routes(registry: Registry, model: ModelServer) -> None:
    says(model, "other")
    await route(registry, system_prompt="You sort mail.")
    system, user = model.requests[0].json()["messages"]
    assert system["content"].startswith("You sort mail.")
    assert (
        "- billing: invoices and refunds\n- technical: Broken things\n- other" in system["content"]
    )
    assert user == {"role": "user", "content": "My invoice is wrong"}


def test_router_handles_are_read_off_the_raw_config(registry: Registry) -> None:
    handles = registry.catalog["router"].handles
    assert handles is not None
    assert handles({"routes": ROUTES}) == ("billing", "technical", "other")
    assert handles({"routes": ROUTES, "defaultRoute": "human"})[-1] == "human"
    assert handles({"routes": ROUTES, "default_route": "other"})[-1] == "other"
    shapeless: list[Any] = [None, 5, "{{ routes }}", [1, None, {}, {"value": []}]]
    for garbage in shapeless:
        assert handles({"routes": garbage, "default_route": garbage}) in ((), ("{{ routes }}",))
    assert handles({}) == ()


def test_two_routes_of_one_name_are_refused(registry: Registry) -> None:
    config = {"model": "m", "prompt": "x", "routes": [{"value": "a"}, {"value": "a"}]}
    with pytest.raises(ValidationError, match="two routes have the value 'a'"):
        registry.catalog["router"].config_model.model_validate(config)


async def test_outputs_are_json(registry: Registry) -> None:
    outputs = await chat(registry)
    assert json.loads(json.dumps(outputs)) == outputs


@pytest.mark.parametrize("provider", [None, "local"])
async def test_only_the_default_provider_is_told_of_the_account_in_the_environment(
    registry: Registry,
    model: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    provider: str | None,
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: secret\nX-Other: secret")
    await chat(registry, provider=provider)
    headers = model.requests[0].headers
    told = {"openai-organization", "openai-project", "x-team", "x-other"}
    assert told & set(headers) == (told if provider is None else set())
    assert ("secret" in str(headers)) == (provider is None)
    assert headers["authorization"].startswith("Bearer ")

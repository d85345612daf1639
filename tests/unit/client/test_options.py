"""How clients are set up, and that the key stays inside."""

from __future__ import annotations

import pytest

from flowmaestro.client import AsyncFlowMaestroClient, ConfigurationError, FlowMaestroClient
from flowmaestro.client.calls import (
    cancel_execution,
    execute_workflow,
    get_execution,
    stream_events,
)
from flowmaestro.client.options import api_url, resolve_options

KEY = "fm_test_0123456789"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWMAESTRO_API_KEY", raising=False)
    monkeypatch.delenv("FLOWMAESTRO_BASE_URL", raising=False)


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/api/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/api/v1"),
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("https://example.com/api/v1/", "https://example.com/api/v1"),
        ("https://example.com/flow?x=1#y", "https://example.com/flow/api/v1"),
        ("http://[::1]:80", "http://[::1]:80/api/v1"),
    ],
)
def test_the_base_url_may_name_the_server_or_the_api(base_url: str, expected: str) -> None:
    assert api_url(base_url) == expected


@pytest.mark.parametrize(
    "base_url", ["127.0.0.1:8000", "ftp://x", "http://", "http://x:99999", "http://[", "/api"]
)
def test_what_is_no_servers_address_is_refused(base_url: str) -> None:
    with pytest.raises(ConfigurationError, match="base URL"):
        api_url(base_url)


def test_a_password_in_a_bad_base_url_is_not_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        api_url("ftp://user:s3cret@host")
    assert "s3cret" not in str(caught.value)


def test_the_environment_fills_the_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWMAESTRO_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("FLOWMAESTRO_BASE_URL", "http://10.0.0.1")
    options = resolve_options(None, None)
    assert options.api_key == KEY
    assert options.base_url == "http://10.0.0.1/api/v1"
    assert resolve_options("fm_live_x", "http://a").api_key == "fm_live_x"


def test_without_a_key_it_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="FLOWMAESTRO_API_KEY"):
        resolve_options(None, None)


@pytest.mark.parametrize("key", ["fm_live_a\nb", "fm live", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_without_telling_it(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve_options(key, None)
    assert key not in str(caught.value)


def test_the_key_is_in_no_repr() -> None:
    client = FlowMaestroClient(KEY, base_url="http://user:s3cret@127.0.0.1:8000")
    with client:
        shown = [repr(client), repr(client.workflows), repr(resolve_options(KEY, None))]
        shown.append(repr(client.executions.stream("exec_1")))
    shown.append(repr(AsyncFlowMaestroClient(KEY)))
    assert not any(KEY in text or "s3cret" in text for text in shown)


@pytest.mark.parametrize("execution_id", ["", ".", "..", "..."])
def test_ids_that_would_name_another_path_are_refused(execution_id: str) -> None:
    with pytest.raises(ConfigurationError):
        get_execution(execution_id)


def test_ids_are_quoted() -> None:
    assert cancel_execution("a/b?c#d").path == "/executions/a%2Fb%3Fc%23d/cancel"


def test_each_execute_has_a_key_of_its_own() -> None:
    first, second = (execute_workflow("wf_1", None, None) for _ in range(2))
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]
    assert execute_workflow("wf_1", None, "mine").headers["Idempotency-Key"] == "mine"


def test_one_text_is_no_list_of_types() -> None:
    with pytest.raises(ConfigurationError, match="list"):
        stream_events("exec_1", 0, "node:started", None)


def test_a_negative_cursor_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        stream_events("exec_1", -1, None, None)

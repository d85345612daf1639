from __future__ import annotations

from typing import Any

import pytest

from flowmaestro.main.settings import InvalidSettings, Settings, load_settings, unknown_variables


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_variables_are_read_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWMAESTRO_PORT", "9000")
    monkeypatch.setenv("FLOWMAESTRO_NODES", "a.b, c")
    monkeypatch.setenv("FLOWMAESTRO_CORS_ORIGINS", '["https://a.example", "*"]')
    monkeypatch.setenv("FLOWMAESTRO_RETENTION_DAYS", "30")
    settings = load_settings()
    assert settings.port == 9000
    assert settings.nodes == ("a.b", "c")
    assert settings.cors_origins == ("https://a.example", "*")
    assert settings.retention_days == 30


def test_networks_are_a_list_and_none_is_not_the_same_as_an_empty_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings().http_allowed_networks is None
    assert load_settings(http_allowed_networks=()).http_allowed_networks == ()
    monkeypatch.setenv("FLOWMAESTRO_HTTP_ALLOWED_NETWORKS", "10.0.0.0/8, private,::1")
    assert load_settings().http_allowed_networks == ("10.0.0.0/8", "private", "::1")


def test_overrides_win_and_none_is_no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWMAESTRO_PORT", "9000")
    assert load_settings(port=0).port == 0
    assert load_settings(port=None).port == 9000


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "eighty", "FLOWMAESTRO_PORT: .*integer.*'eighty'"),
        ("PORT", "70000", "FLOWMAESTRO_PORT: .*65535"),
        ("LOG_LEVEL", "loud", "FLOWMAESTRO_LOG_LEVEL: .*'debug', 'info'"),
        ("CORS_ORIGINS", "example.com", "FLOWMAESTRO_CORS_ORIGINS: .*https://app.example.com"),
        ("CORS_ORIGINS", "[oops", "FLOWMAESTRO_CORS_ORIGINS: .*JSON"),
        ("MAX_BODY_BYTES", "1", "FLOWMAESTRO_MAX_BODY_BYTES: .*1024"),
        ("PROVIDERS", "{oops", "FLOWMAESTRO_PROVIDERS: .*JSON"),
        ("PROVIDERS", '{"a": {"base_url": "ftp://x"}}', r"FLOWMAESTRO_PROVIDERS \(a.base_url\)"),
        ("HTTP_ALLOWED_NETWORKS", "10.0.0.1/8", "FLOWMAESTRO_HTTP_ALLOWED_NETWORKS: .*10.0.0.0/8"),
        ("HTTP_ALLOWED_NETWORKS", "intranet", "FLOWMAESTRO_HTTP_ALLOWED_NETWORKS: .*'intranet'"),
        ("TRACE_HOSTS", "https://api.example.com/", "FLOWMAESTRO_TRACE_HOSTS: .*no scheme"),
        ("TRACE_HOSTS", "api.example.com:443", "FLOWMAESTRO_TRACE_HOSTS: .*no port"),
        ("SHUTDOWN_GRACE_SECONDS", "60", "FLOWMAESTRO_SHUTDOWN_GRACE_SECONDS: .*7"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_the_variable_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(f"FLOWMAESTRO_{name}", value)
    with pytest.raises(InvalidSettings, match=expected) as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_every_bad_setting_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWMAESTRO_PORT", "eighty")
    monkeypatch.setenv("FLOWMAESTRO_LOG_LEVEL", "loud")
    monkeypatch.setenv("FLOWMAESTRO_SECRET_PIN", "1234")
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    named = {problem.partition(":")[0] for problem in caught.value.problems}
    assert named == {"FLOWMAESTRO_PORT", "FLOWMAESTRO_LOG_LEVEL", "FLOWMAESTRO_SECRET_PIN"}


def test_a_bad_value_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWMAESTRO_HTTP_ALLOWED_NETWORKS", "intranet")
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert str(caught.value).count("intranet") == 1


@pytest.mark.parametrize(
    "host", ["api.example.com", "*.internal", "127.0.0.*", "::1", "*", "2001:db8::*"]
)
def test_a_host_that_is_told_of_traces_may_be_a_pattern(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("FLOWMAESTRO_TRACE_HOSTS", host)
    assert load_settings().trace_hosts == (host,)


def test_a_misspelled_setting_is_found_with_what_was_meant() -> None:
    environment = dict.fromkeys(
        (
            *("FLOWMAESTRO_MAX_BODY_BYTE", "FLOWMAESTRO_WORKERS", "FLOWMAESTRO_PORT", "PATH"),
            *("FLOWMAESTRO_API_KEY", "FLOWMAESTRO_BASE_URL", "FLOWMAESTRO_SECRET_TOKEN"),
        ),
        "1",
    )
    assert unknown_variables(environment) == [
        "FLOWMAESTRO_MAX_BODY_BYTE (did you mean FLOWMAESTRO_MAX_BODY_BYTES?)",
        "FLOWMAESTRO_WORKERS",
    ]


def test_secrets_come_from_an_object_and_from_single_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLOWMAESTRO_SECRETS", '{"A": "one-secret", "B": "two-secrets"}')
    monkeypatch.setenv("FLOWMAESTRO_SECRET_B", "three-secrets")
    settings = load_settings()
    secrets = {name: value.get_secret_value() for name, value in settings.secrets.items()}
    assert secrets == {"A": "one-secret", "B": "three-secrets"}


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("FLOWMAESTRO_SECRET_PIN", "1234567", "FLOWMAESTRO_SECRET_PIN"),
        ("FLOWMAESTRO_SECRETS", '{"PIN": "1234567"}', "FLOWMAESTRO_SECRETS: PIN"),
        ("FLOWMAESTRO_SECRETS", '{"PIN": ""}', "FLOWMAESTRO_SECRETS: PIN"),
    ],
)
def test_a_secret_too_short_to_be_redacted_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert str(caught.value) == (
        f"{named}: a secret must have at least 8 characters, "
        "since it is redacted wherever it appears"
    )


def test_an_empty_secret_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWMAESTRO_SECRET_PIN", "")
    assert load_settings().secrets == {}


@pytest.mark.parametrize(
    "environment",
    [
        {"FLOWMAESTRO_SECRETS": '{"A": "hunter22"'},
        {"FLOWMAESTRO_SECRETS": '{"A": ["hunter22"]}'},
        {"FLOWMAESTRO_SECRETS": '"hunter22"'},
        {"FLOWMAESTRO_PROVIDERS": '{"a": {"api_key": ["hunter22"]}}'},
        {"FLOWMAESTRO_PROVIDERS": '{"a": {"hunter22": "hunter22"}}'},
    ],
)
def test_an_error_in_a_secret_does_not_repeat_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert ": hunter22" not in str(caught.value)
    assert "'hunter22'" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_secret_is_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter22")
    monkeypatch.setenv("FLOWMAESTRO_SECRET_A", "hunter22")
    monkeypatch.setenv("FLOWMAESTRO_PROVIDERS", '{"a": {"api_key": "hunter22"}}')
    settings = load_settings()
    assert "hunter22" not in repr(settings)
    assert "hunter22" not in str(settings)
    assert "hunter22" not in settings.model_dump_json()


def test_openai_is_the_default_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1")
    provider = load_settings().providers["openai"]
    assert provider.base_url == "http://127.0.0.1:11434/v1"
    assert provider.api_key is not None
    assert provider.api_key.get_secret_value() == "sk-1"


def test_a_provider_named_openai_wins_over_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    given: dict[str, Any] = {"openai": {"base_url": "http://127.0.0.1:1/v1"}}
    provider = Settings(providers=given).providers["openai"]
    assert provider.base_url == "http://127.0.0.1:1/v1"
    assert provider.api_key is None


@pytest.mark.parametrize(
    "origin",
    [
        *("app.example.com", "https://App.example.com", "https://app.example.com/", "null"),
        *("https://*.example.com", "https://app.example.com:443", "http://app.example.com:80"),
        *("https://a.example?x", "https://user@a.example", "https:// a.example", "https://"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("FLOWMAESTRO_CORS_ORIGINS", f'["{origin}"]')
    with pytest.raises(InvalidSettings, match=r"FLOWMAESTRO_CORS_ORIGINS.*as a browser sends it"):
        load_settings()


@pytest.mark.parametrize(
    "origin",
    [
        *("https://app.example.com", "http://localhost:3000", "http://[::1]:8080", "*"),
        *("https://app.example.com:80", "chrome-extension://abcdefgh"),
    ],
)
def test_an_origin_as_a_browser_sends_it_is_taken(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("FLOWMAESTRO_CORS_ORIGINS", origin)
    assert load_settings().cors_origins == (origin,)

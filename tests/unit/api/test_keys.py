from __future__ import annotations

import hashlib
import re

import pytest

from flowmaestro.api.keys import (
    BUNDLES,
    SCOPES,
    Environment,
    display_prefix,
    generate_key,
    hash_key,
    key_environment,
    parse_scopes,
)


@pytest.mark.parametrize("environment", ["live", "test"])
def test_a_key_says_its_environment_and_holds_43_random_characters(
    environment: Environment,
) -> None:
    key = generate_key(environment)
    assert re.fullmatch(rf"fm_{environment}_[0-9A-Za-z]{{43}}", key)
    assert key_environment(key) == environment


def test_no_two_keys_are_alike() -> None:
    assert len({generate_key("live") for _ in range(1000)}) == 1000


def test_the_hash_is_sha256_of_the_whole_key() -> None:
    key = generate_key("test")
    assert hash_key(key) == hashlib.sha256(key.encode()).hexdigest()


def test_the_shown_prefix_gives_away_four_random_characters() -> None:
    key = generate_key("live")
    assert display_prefix(key) == key[: len("fm_live_") + 4]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fm_live_",
        "fm_prod_" + "a" * 43,
        "fm_live_" + "a" * 42,
        "fm_live_" + "a" * 44,
        "fm_live_" + "a" * 42 + "-",
        "fm_live_" + "a" * 42 + "\n",
        "fm_live_" + "٣" * 43,
        "FM_LIVE_" + "a" * 43,
    ],
)
def test_what_does_not_look_like_a_key_is_none(text: str) -> None:
    assert key_environment(text) is None


def test_bundles_hold_only_scopes_that_exist() -> None:
    assert all(scopes <= set(SCOPES) for scopes in BUNDLES.values())
    assert BUNDLES["full-access"] == set(SCOPES)
    assert BUNDLES["read-only"] < BUNDLES["workflow-executor"] < BUNDLES["full-access"]


def test_scopes_and_a_bundle_add_up() -> None:
    assert parse_scopes(["workflows:write", " "], "read-only") == BUNDLES["read-only"] | {
        "workflows:write"
    }


def test_an_unknown_scope_or_bundle_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"workflows:run.*workflows:execute"):
        parse_scopes(["workflows:run"])
    with pytest.raises(ValueError, match=r"everything.*full-access"):
        parse_scopes(bundle="everything")

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flowmaestro.api.keys import generate_key, hash_key
from flowmaestro.api.tickets import InvalidTicket, Ticket, parse_ticket, sign_ticket
from flowmaestro.storage import IdGenerator

HASH = hash_key(generate_key("test"))
EXPIRES_AT = datetime(2025, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
IDS = IdGenerator()
KEY_ID, EXECUTION_ID = IDS.new_id("key"), IDS.new_id("exec")


def signed(expires_at: datetime = EXPIRES_AT) -> str:
    return sign_ticket(
        key_id=KEY_ID, key_hash=HASH, execution_id=EXECUTION_ID, expires_at=expires_at
    )


def test_a_ticket_says_whose_it_is_what_it_opens_and_until_when() -> None:
    ticket = parse_ticket(signed())
    assert (ticket.key_id, ticket.execution_id) == (KEY_ID, EXECUTION_ID)
    assert ticket.expires_at == EXPIRES_AT
    assert ticket.is_signed_with(HASH)
    assert parse_ticket(signed(EXPIRES_AT + timedelta(microseconds=999))) == ticket


def test_another_keys_hash_did_not_sign_it() -> None:
    assert not parse_ticket(signed()).is_signed_with(hash_key(generate_key("test")))


def test_not_one_character_can_be_changed() -> None:
    ticket = signed()
    for place, character in enumerate(ticket):
        for other in "0aA_-.":
            changed = ticket[:place] + other + ticket[place + 1 :]
            if other != character:
                assert not accepted(changed), changed


def accepted(text: str) -> bool:
    try:
        return parse_ticket(text).is_signed_with(HASH)
    except InvalidTicket:
        return False


def test_the_parts_cannot_be_divided_in_another_way() -> None:
    _, key_id, execution_id, expires_ms, mac = signed().split(".")
    moved = f"fm_ticket_v1.{key_id}.{execution_id}{expires_ms[0]}.{expires_ms[1:]}.{mac}"
    assert not accepted(moved)


def test_a_ticket_goes_into_an_address_as_it_is() -> None:
    assert set(signed()) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
    assert len(signed()) < 160


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sealed",
        generate_key("live"),
        "fm_ticket_v1....",
        "fm_ticket_v2" + signed().removeprefix("fm_ticket_v1"),
        signed() + "=",
        signed() + "\n",
        signed().replace("exec_", "exec_\xe9"),
        signed().replace(".", "%2E"),
        signed()[:-1],
        "x" * 100_000,
    ],
)
def test_what_is_no_ticket_is_not_taken_for_one_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidTicket) as caught:
        parse_ticket(text)
    assert str(caught.value) == "That is not a ticket: fm_ticket_v1.…."


def test_a_repr_shows_nothing_that_opens_a_stream() -> None:
    ticket = signed()
    shown = repr(parse_ticket(ticket))
    assert ticket.rpartition(".")[2] not in shown
    assert isinstance(parse_ticket(ticket), Ticket)

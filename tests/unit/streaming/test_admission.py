from __future__ import annotations

import pytest

from flowmaestro.streaming import Admission, TooManyStreams


def test_each_owner_has_its_own_limit() -> None:
    admission = Admission(None, 2)
    admission.enter("a")
    admission.enter("a")
    admission.enter("b")
    with pytest.raises(TooManyStreams) as refused:
        admission.enter("a")
    assert (refused.value.limit, refused.value.of_owner) == (2, True)
    admission.leave("a")
    admission.enter("a")
    assert admission.refused == 1


def test_all_owners_together_have_a_limit() -> None:
    admission = Admission(2, None)
    admission.enter("a")
    admission.enter("b")
    with pytest.raises(TooManyStreams) as refused:
        admission.enter("c")
    assert (refused.value.limit, refused.value.of_owner) == (2, False)
    admission.leave("a")
    admission.enter("c")


def test_an_owner_without_streams_is_forgotten() -> None:
    admission = Admission(1, 1)
    admission.enter("a")
    with pytest.raises(TooManyStreams):
        admission.enter("b")
    admission.leave("a")
    assert admission.owners == ()

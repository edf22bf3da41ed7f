"""A purpose in words, as the schema describes its value."""

from __future__ import annotations

import pytest

from gateway.rules.explain.purposes import in_words
from tests.rules.policies import shipped


def test_what_must_be_named_and_what_becomes_of_the_answer() -> None:
    told = in_words(shipped().policies.purposes["TENDER_QUALIFICATION"])
    assert told.startswith(
        "Qualification of a tenderer for a public contract.\n\n- Rests on: Public Procurement Act, Art. 54.\n"
    )
    for line in ("- About: organisations.", "`case`.", "- Answers are to be deleted after 90 days."):
        assert line in told


@pytest.mark.parametrize("name", list(shipped().policies.purposes))
def test_how_often_is_said_of_every_purpose(name: str) -> None:
    purpose = shipped().policies.purposes[name]
    told = in_words(purpose)
    assert ("- Any number of times about one subject." in told) == purpose.frequency.unlimited
    assert (f"- At most {purpose.frequency.max:,} times about one subject in " in told) != purpose.frequency.unlimited
    assert all(line.endswith(".") and not line.endswith("..") for line in told.splitlines() if line)

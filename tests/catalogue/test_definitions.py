"""A definition's digest, and what goes beyond a published definition: what only takes away opens nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import FieldType
from gateway.catalogue import definitions
from gateway.catalogue.model import Basis, Catalogue, Dataset, Display, Field, Period, Status
from gateway.catalogue.periods import parse
from tests.world import rule_set

OPENNESS = ("authorised", "shared", "open")
FIELDS = {name: Field(name, FieldType.STRING, f"Title of {name}") for name in "abc"}
PERIODS = (None, "P3M", "P90D", "P1Y", "P3Y")


def made(**changed: Any) -> Dataset:
    usual: dict[str, Any] = {
        "id": "permits", "department": "archives", "department_title": "Archives", "title": "Permits",
        "status": Status.PUBLISHED, "subjects": ("organisation",), "information": "public", "disclosure": "shared",
        "nature": "neutral", "category": "ordinary", "basis": (Basis("Act", "1"),), "display": None,
        "restorable": False, "shape": "list", "fields": FIELDS,
    }  # fmt: skip
    return Dataset(**{**usual, **changed})


def period(text: str | None) -> Period | None:
    return None if text is None else parse(text)


DATASETS = st.builds(
    made,
    title=st.sampled_from(("Permits", "Permits of all kinds")),
    subjects=st.sampled_from((("organisation",), ("person",), ("organisation", "person"))),
    information=st.sampled_from(("public", "non_public")),
    disclosure=st.sampled_from(OPENNESS),
    nature=st.sampled_from(("neutral", "neutral", "adverse")),
    display=st.one_of(
        st.none(),
        st.builds(
            lambda least, most: Display(period(least), period(most)), st.sampled_from(PERIODS), st.sampled_from(PERIODS)
        ),
    ),
    restorable=st.booleans(),
    fields=st.sets(st.sampled_from("abc"), min_size=1).map(
        lambda names: {name: FIELDS[name] for name in sorted(names)}
    ),
)


def shown_days(dataset: Dataset) -> tuple[float, float]:
    """How long a record is shown at most, and at least before it can be restored, in days: another way to count."""
    display = dataset.display or Display(None, None)
    most, least = (None if each is None else each.months * 30.4 + each.days for each in (display.max, display.min))
    return (float("inf") if most is None else most), least or 0.0


@given(DATASETS, DATASETS)
def test_what_only_takes_away_opens_nothing(new: Dataset, old: Dataset) -> None:
    """Whatever somebody may see by the new definition, they might by the old one."""
    if definitions.beyond(new, old):
        return
    assert set(new.subjects) <= set(old.subjects)
    assert dict(new.fields).items() <= dict(old.fields).items()
    assert OPENNESS.index(new.disclosure) <= OPENNESS.index(old.disclosure)
    assert (new.information, old.information) != ("public", "non_public")
    assert (new.title, new.nature, new.basis) == (old.title, old.nature, old.basis)
    assert new.restorable or not old.restorable
    assert shown_days(new)[0] <= shown_days(old)[0] + 2
    assert shown_days(new)[1] <= shown_days(old)[1] + 2


@given(DATASETS, DATASETS, DATASETS)
def test_it_is_an_order(one: Dataset, two: Dataset, three: Dataset) -> None:
    assert definitions.beyond(one, one) == []
    if not definitions.beyond(one, two) and not definitions.beyond(two, three):
        assert definitions.beyond(one, three) == []
    if not definitions.beyond(one, two) and not definitions.beyond(two, one):
        assert shown_days(one) == pytest.approx(shown_days(two), abs=2)


@given(DATASETS)
def test_a_digest_is_of_all_but_the_status_and_comes_back(dataset: Dataset) -> None:
    body = definitions.canonical(dataset)
    back = definitions.read(body)
    assert definitions.canonical(back) == body
    assert definitions.beyond(back, dataset) == definitions.beyond(dataset, back) == []
    assert definitions.digest(dataset) == definitions.digest_of(body)
    for name, value in (("status", Status.DRAFT), ("department_title", "The Archives")):
        assert definitions.digest(msgspec.structs.replace(dataset, **{name: value})) == definitions.digest(dataset)


def test_every_other_member_is_of_the_definition() -> None:
    """A member that is added to datasets later is part of what is consulted on, or this fails."""
    dataset = made(display=Display(None, parse("P1Y")), open_law="Open Act", override="a reason of some length")
    plain = msgspec.json.decode(definitions.canonical(dataset))
    assert set(plain) == set(Dataset.__struct_fields__) - {"status", "department_title"}


def test_the_order_in_a_file_does_not_matter() -> None:
    turned = made(fields=dict(reversed(FIELDS.items())), subjects=("person", "organisation"))
    assert definitions.digest(turned) == definitions.digest(made(subjects=("organisation", "person")))


def test_every_shipped_definition_comes_back() -> None:
    for dataset in rule_set().policies.catalogue.datasets.values():
        back = definitions.read(definitions.canonical(dataset))
        assert definitions.digest(back) == definitions.digest(dataset)
        assert definitions.beyond(dataset, back) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"id": 1}'])
def test_what_is_no_definition_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="is no definition"):
        definitions.read(body)


def test_what_a_catalogue_may_publish() -> None:
    narrow, wide = made(fields={"a": FIELDS["a"]}), made()
    draft = made(id="drafts", status=Status.DRAFT)

    def left(*published: Dataset, served: Dataset = wide) -> list[str]:
        catalogue = Catalogue({"permits": served, "drafts": draft}, {}, {}, "")
        return [str(each) for each in definitions.unapproved(catalogue.published.values(), {"permits": published})]

    assert left(wide) == left(wide, served=narrow) == left(narrow, wide) == left(wide, narrow) == []
    [none] = left()
    assert none.startswith("`permits`: no act published it")
    [beyond] = left(narrow)
    assert "its field `b` is new; its field `c` is new" in beyond

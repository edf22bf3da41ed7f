"""`me { accessHistory }`: what is secret is in no byte of it until its second."""

from __future__ import annotations

import contextlib
import datetime

import msgspec
import pytest

from gateway.acts.subject import history
from gateway.errors import Code, Refusal
from gateway.ledger.commands import export
from gateway.ledger.entry import entries
from gateway.ledger.projections import visible
from gateway.storage.tables import micros
from tests.acts.looking import Looking, ids
from tests.acts.subject.pages import every_page, held, looking, others, shown
from tests.world import Ask

__all__ = ["looking"]


def test_what_is_secret_is_in_no_byte_before_its_end_and_there_in_its_second(looking: Looking) -> None:
    world, subject = looking.world, held(looking.world)
    looking.looked(subject)
    looking.later(seconds=1)
    looking.looked(subject)
    looking.project()
    before = {}
    for moment in (0, 30, 3600):
        looking.later(seconds=moment)
        before[world.now] = every_page(looking, subject)
    world.now = min(before)
    secret = looking.looked(subject, secret=True)
    ends = secret.entries[-1].oversight.secret_until
    assert ends is not None
    assert ends > world.now
    for _ in range(2):
        for moment_, page in before.items():
            world.now = moment_
            assert every_page(looking, subject) == page
            assert history.visible_access(world.store, subject[1:], secret.inquiry["id"], world.now) is None
        world.now = ends - datetime.timedelta(microseconds=1)
        assert secret.inquiry["id"] not in ids(shown(looking, subject)["items"])
        world.now = ends
        assert ids(shown(looking, subject)["items"])[-1] == secret.inquiry["id"]
        assert history.visible_access(world.store, subject[1:], secret.inquiry["id"], world.now) is not None
        looking.project()


def test_what_becomes_visible_later_comes_behind_what_was_read(looking: Looking) -> None:
    world, subject = looking.world, held(looking.world)
    secret = looking.looked(subject, secret=True)
    ends = secret.entries[-1].oversight.secret_until
    assert ends is not None
    looking.later(seconds=1)
    first, second = looking.looked(subject).inquiry["id"], looking.looked(subject).inquiry["id"]
    looking.later(seconds=1)
    page = shown(looking, subject, 1)
    assert ids(page["items"]) == [first]
    world.now = ends
    assert ids(shown(looking, subject, 50, page["next"])["items"]) == [second, secret.inquiry["id"]]


def test_a_refusal_of_a_secret_inquiry_is_as_secret(looking: Looking) -> None:
    subject = held(looking.world)
    refused = looking.looked(subject, secret=True, facts=_Broken())
    assert refused.codes == ["DECISION_UNAVAILABLE"]
    assert shown(looking, subject)["items"] == []
    ends = refused.entries[-1].oversight.secret_until
    assert ends is not None
    looking.world.now = ends
    assert [each["what"] for each in shown(looking, subject)["items"]] == ["REFUSAL"]


def test_nor_does_one_show_that_is_refused_for_its_token(looking: Looking) -> None:
    subject = held(looking.world)
    who = looking.world.requester("market-regulator", official="m.ivanova", scopes=("openid",))
    refused = looking.looked(subject, secret=True, who=who)
    assert refused.codes == ["FORBIDDEN"]
    assert shown(looking, subject)["items"] == []
    assert refused.entries[-1].oversight.secret_until is not None


def test_nor_does_one_show_whose_purpose_is_misspelt(looking: Looking) -> None:
    world, subject = looking.world, held(looking.world)
    query = "query($id: IdentifierInput!) { organisation(id: $id) { businessLicences { number } } }"
    of = {"id": {"scheme": subject.scheme, "value": subject.value}}
    who = world.requester("market-regulator", official="m.ivanova")
    for header in (b"purpose=LICENCE_RENEWL", b"purpose=LICENCE_RENEWAL"):
        looking.later(seconds=1)
        reply = world.ask(Ask(who, query, of, header=header))
        assert len(reply.entries) == 1
    assert reply.codes == []
    assert [each["what"] for each in shown(looking, subject)["items"]] == ["INQUIRY"], "the other may have been secret"


class _Broken:
    async def read(self, *_: object) -> None:
        raise Refusal(Code.DECISION_UNAVAILABLE, "out of reach")


def test_a_view_of_something_secret_is_as_secret_as_long(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking.world.ledger, "now", looking.world.clock)  # commands go by the ledger's own
    subject = held(looking.world)
    secret = looking.looked(subject, secret=True)
    ends = secret.entries[-1].oversight.secret_until
    assert ends is not None
    told, _ = others(looking, subject)["view"]
    assert isinstance(told, entries.View)
    for name in ("view-1", "view-2"):
        with contextlib.closing(looking.world.store.reader()) as reader:
            assert visible.secret_until(reader, *subject[1:], micros(looking.world.now)) == micros(ends)
            assert visible.secret_until(reader, *subject[1:], micros(ends)) is None
        view = msgspec.structs.replace(told, id=name)
        looking.world.run(export.enter(looking.world.ledger, lambda at, v=view: msgspec.structs.replace(v, at=at)))
        assert shown(looking, subject)["items"] == []
        looking.project()
    looking.world.now = ends
    assert ids(shown(looking, subject)["items"]) == [secret.inquiry["id"], "view-1", "view-2"]
    looking.world.run(export.enter(looking.world.ledger, lambda at: msgspec.structs.replace(told, id="view-3", at=at)))
    assert ids(shown(looking, subject)["items"])[-1] == "view-3"

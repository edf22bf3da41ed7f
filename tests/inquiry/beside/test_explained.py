"""`dutybound rules explain --inquiry`: a real denial explained from its entry, behind a view, without a subject."""

from __future__ import annotations

import contextlib
import datetime
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from gateway import cli
from gateway.activation import activating, archive
from gateway.errors import LedgerUnavailable
from gateway.inquiry.beside import explained
from gateway.ledger.entry import entries
from gateway.ledger.log import operator
from gateway.ledger.stored import read
from gateway.rules.load import load
from tests import configured, world
from tests.rules.policies import SHIPPED
from tests.stores import store_at
from tests.world import ISSUERS, ORIGIN, Ask, World, new_subject

SUBSIDY = """query($id: IdentifierInput!) @inquiry(purpose: SUBSIDY_ASSESSMENT) {
  person(id: $id) { name incomeStatements { year taxableIncome } volunteering { hours } } }"""


@pytest.fixture
def placed(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    key = world._PRIVATE.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    configured.secret(tmp_path / "ledger.key", key.decode())
    issuers = [{"issuer": ISSUERS["login"], "name": "login"}]
    configured.write(
        tmp_path,
        store="sqlite:///store.db",
        policies=str(SHIPPED),
        ledger={"origin": ORIGIN},
        oauth={"issuers": issuers},
    )
    yield made
    made.close()


def asked(made: World, query: str = SUBSIDY, client: str = "labour-office") -> tuple[str, str]:
    """The id of an inquiry that was denied something, and the subject's identifier."""
    subject = new_subject("person")
    reply = made.ask(Ask(made.requester(client), query, {"id": {"scheme": subject.scheme, "value": subject.value}}))
    return reply.inquiry["id"], subject.value


def explain(made: World, capsys: pytest.CaptureFixture[str], inquiry: str) -> tuple[int, str, str]:
    config = str(made.path.with_name("gateway.yaml"))
    words = ["--inquiry", inquiry, "--config", config, "--by", "O. Officer", "--reason", "complaint 7 of 2026"]
    status = cli.main(["rules", "explain", *words])
    out, err = capsys.readouterr()
    return status, out, err


def views(made: World) -> list[tuple[entries.View, entries.Oversight]]:
    store = store_at(made.path)
    with contextlib.closing(store.reader()) as reader:
        found = [
            (each.read_told(), each.read_oversight())
            for head in read.heads(reader)
            for each in read.read_entries(reader, head.id, 0, head.size)
        ]
    store.close()
    return [(told, oversight) for told, oversight in found if isinstance(told, entries.View)]


def test_a_real_denial_is_explained(placed: World, capsys: pytest.CaptureFixture[str]) -> None:
    inquiry, value = asked(placed)
    status, out, err = explain(placed, capsys, inquiry)
    assert (status, err) == (0, "")
    assert out.startswith(f"Inquiry {inquiry}, ")
    assert "labour-office asked for SUBSIDY_ASSESSMENT." in out
    assert "Subject 1 of 1, a person:" in out
    for dataset in ("income-statements", "volunteering"):
        assert re.search(rf"`{dataset}\.\w+`[^\n]*\n    DENIED: CONSENT_REQUIRED, by rule consent-missing", out)
    assert "consent-missing forbids where" in out
    assert "Art. 23, 24, 25, 42" in out
    assert "It would take:\n      - the subject's consent to `labour-office` for SUBSIDY_ASSESSMENT and `income" in out
    assert "person-register" not in out, "what was permitted needs no explanation"
    assert value not in out
    [(view, oversight)] = views(placed)
    assert (view.by, view.reason, view.looked.value) == ("O. Officer", "complaint 7 of 2026", value)
    assert view.looked.since is not None
    assert view.looked.until == view.looked.since + datetime.timedelta(microseconds=1)
    assert oversight.official == operator.account()


def test_nothing_is_shown_without_a_view(
    placed: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inquiry, _ = asked(placed)

    async def unavailable(*arguments: object, **named: object) -> None:
        raise LedgerUnavailable("the disk is full")

    monkeypatch.setattr(operator, "enter", unavailable)
    assert explain(placed, capsys, inquiry) == (1, "", "the disk is full\n")
    assert views(placed) == []


def test_an_inquiry_that_there_is_not(placed: World, capsys: pytest.CaptureFixture[str]) -> None:
    asked(placed)
    status, out, err = explain(placed, capsys, "6b1f6f5e-0000-4000-8000-000000000000")
    assert (status, out) == (1, "")
    assert "no inquiry `6b1f6f5e-0000-4000-8000-000000000000` can be read in this ledger" in err
    assert views(placed) == []


def test_other_rules_than_those_of_then_are_told(placed: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The explanation is by the rules at hand, and says where they decide otherwise by now."""
    inquiry, _ = asked(placed)
    folder = placed.path.parent / "policies"
    placed.path.with_name("gateway.yaml").write_text(
        placed.path.with_name("gateway.yaml").read_text().replace(str(SHIPPED), str(folder))
    )
    shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
    tax = folder / "catalogue" / "tax.yaml"
    changed = tax.read_text().replace("information: non_public", "information: public")
    assert changed != tax.read_text()
    tax.write_text(changed)
    _, out, _ = explain(placed, capsys, inquiry)
    assert "It was decided by the rule set" in out
    assert "which is not kept; what follows is by the one in force" in out
    assert "then DENIED: CONSENT_REQUIRED, by rule consent-missing; now:" in out
    assert "PERMITTED by subsidy-assessment" in out


def test_a_rule_set_that_is_kept_explains_what_it_decided(
    placed: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    inquiry, _ = asked(placed)
    with operator.opened(placed.path.with_name("gateway.yaml")) as place:
        activating.by_files(place, placed.rules.digest, archive.packed(SHIPPED))
        folder = tmp_path / "changed"
        shutil.copytree(SHIPPED, folder)
        tax = folder / "catalogue" / "tax.yaml"
        tax.write_text(tax.read_text().replace("information: non_public", "information: public"))
        activating.by_files(place, load(folder, ISSUERS).digest, archive.packed(folder))
    status, out, err = explain(placed, capsys, inquiry)
    assert (status, err) == (0, "")
    assert "The rule set of then is not in force any more" in out
    assert "then DENIED" not in out
    income = out[out.index("`income-statements") :]
    assert "DENIED: CONSENT_REQUIRED, by rule consent-missing" in income
    assert "by the rule set in force: PERMITTED" in income.partition("`volunteering")[0]
    assert "by the rule set in force: DENIED: CONSENT_REQUIRED" in income.partition("`volunteering")[2]


def test_a_refusal_has_no_more_to_tell(placed: World, capsys: pytest.CaptureFixture[str]) -> None:
    inquiry, value = asked(placed, SUBSIDY.replace("SUBSIDY_ASSESSMENT", "COURT_ENFORCEMENT"), "civil-court")
    status, out, _ = explain(placed, capsys, inquiry)
    assert status == 0
    assert "It was refused as a whole: INQUIRY_REQUIRED." in out
    assert "its entry keeps nothing that a decision could be made from again" in out
    assert value not in out


def test_what_is_secret_is_looked_at_as_secretly(placed: World) -> None:
    inquiry, _ = asked(placed)
    with operator.opened(placed.path.with_name("gateway.yaml")) as place:
        found = explained.find(place, inquiry)
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=9)
        secret = found._replace(oversight=entries.Oversight(entries.VERSION, secret_until=until))
        place.run(lambda ledger: explained._enter(ledger, secret, "O. Officer", "a reason"))
    [(_, oversight)] = views(placed)
    assert oversight.secret_until == until


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--inquiry", "x"], "`--by` and `--reason` are missing"),
        (["--inquiry", "x", "--config", "gateway.yaml", "--by", "A"], "`--reason` is missing"),
        (["market-regulator", "TENDER_QUALIFICATION", "organisation"], "the field is missing"),
        ([], "the requester is missing"),
        (["a", "B", "person", "c.d", "--by", "A"], "and not both"),
    ],
)
def test_half_a_question_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rules", "explain", *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "`--inquiry ID --config gateway.yaml --by NAME --reason TEXT`" in told

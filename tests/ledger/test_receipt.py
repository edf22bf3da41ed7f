"""Receipts offline: what one proves, and that nothing in it can be changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import VerificationFailed
from gateway.ledger import entries, keys, leaf, proof
from gateway.ledger.merkle import Tree, leaf_hash
from gateway.ledger.note import Signer, b64
from gateway.ledger.receipt import check_data, check_extension, read_file, verify_receipt
from tests.ledger.support import AT, BY, DATA, KEY, ORIGIN, VERIFIERS, disclosed, opened, receipt_of, refused, store_in


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    async def make() -> list[bytes]:
        async with opened(store_in(tmp_path_factory.mktemp("store"))) as ledger:
            return [await disclosed(ledger, number) for number in range(5)]

    return asyncio.run(make())


def test_a_receipt_proves_what_was_said(answers: list[bytes]) -> None:
    proved = verify_receipt(receipt_of(answers[3]), VERIFIERS)
    assert (proved.assurance, proved.origin, proved.shard, proved.index) == ("signed", f"{ORIGIN}/1", "1", 3)
    assert isinstance(proved.told, entries.Inquiry)
    assert proved.told.id == "inquiry-3"
    assert proved.told.at == AT
    assert (proved.told.requester.issuer, proved.told.requester.client) == BY
    assert proved.told.disclosed[0].datasets[0].records == ["tax-arrears/N-1@3"]
    check_data(proved, DATA)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_found(answers: list[bytes], data: st.DataObject) -> None:
    receipt = receipt_of(answers[4]).encode()
    at = data.draw(st.integers(0, len(receipt) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != receipt[at]))
    changed = receipt[:at] + bytes([byte]) + receipt[at + 1 :]
    with pytest.raises(VerificationFailed):
        verify_receipt(read_file(changed).text, VERIFIERS)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_missing_or_added_part_is_found(answers: list[bytes], data: st.DataObject) -> None:
    receipt = receipt_of(answers[4])
    first = data.draw(st.integers(0, len(receipt)))
    last = data.draw(st.integers(first, len(receipt)))
    changed = receipt[:first] + data.draw(st.sampled_from(["", "A", "\n", "=", "AAAA\n"])) + receipt[last:]
    if changed != receipt:
        with pytest.raises(VerificationFailed):
            verify_receipt(changed, VERIFIERS)


def test_a_receipt_of_another_log_is_not_ours(answers: list[bytes]) -> None:
    other = keys.verifiers(KEY, "elsewhere.example", ["1"])
    with pytest.raises(VerificationFailed, match="no key that you trust"):
        verify_receipt(receipt_of(answers[0]), other)
    with pytest.raises(VerificationFailed, match="no key that you trust"):
        verify_receipt(receipt_of(answers[0]), keys.verifiers(KEY, ORIGIN, ["2"]))


def test_a_key_cannot_sign_for_another_origin() -> None:
    opening = leaf.Opening(bytes(32), bytes(32), b"{}")
    root = Tree().grow([leaf_hash(opening.leaf)]).tree.root
    note = Signer(f"{ORIGIN}/2", KEY).sign(f"{ORIGIN}/1\n1\n{b64(root)}\n")
    with pytest.raises(VerificationFailed, match="its log is"):
        verify_receipt(proof.write(opening.encode(), 0, "", note), VERIFIERS)


def test_data_that_were_changed_are_found(answers: list[bytes]) -> None:
    proved = verify_receipt(receipt_of(answers[0]), VERIFIERS)
    for changed in (DATA.replace(b"Q1", b"Q2"), DATA + b"x", b"", b"null", DATA.replace(b"Acme ", b"Acme  ")):
        with pytest.raises(VerificationFailed, match="data are not what was disclosed"):
            check_data(proved, changed)


def test_an_answer_that_was_only_laid_out_again_is_recognised(answers: list[bytes]) -> None:
    proved = verify_receipt(receipt_of(answers[0]), VERIFIERS)
    check_data(proved, msgspec.json.format(DATA, indent=4))


def test_an_extension_that_was_changed_is_found(answers: list[bytes]) -> None:
    proved = verify_receipt(receipt_of(answers[0]), VERIFIERS)
    inquiry = msgspec.json.decode(answers[0])["extensions"]["inquiry"]
    check_extension(proved, inquiry)
    for name, value in (("obligations", []), ("cautions", []), ("id", "other"), ("ruleSet", "other")):
        with pytest.raises(VerificationFailed, match=name):
            check_extension(proved, {**inquiry, name: value})


async def test_a_refusal_has_a_receipt_and_no_data(tmp_path: Path) -> None:
    async with opened(store_in(tmp_path)) as ledger:
        proved = verify_receipt(await refused(ledger), VERIFIERS)
    assert isinstance(proved.told, entries.Refused)
    assert proved.told.code == "QUOTA_EXCEEDED"
    check_data(proved, b"null")
    with pytest.raises(VerificationFailed, match="was refused"):
        check_data(proved, DATA)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\x00\xff", b"[]", b"{}", b"null", b"1", b'{"data":{}}'),
        *(b'{"extensions":{"inquiry":{"receipt":7}}}', b'{"receipt": "\\ud800"}'),
        *(b"[" * 100_000, b"c2sp.org/tlog-proof@v1\n\xff", b"\x89PNG\r\n\x1a\n" * 9),
    ],
)
def test_garbage_is_one_sentence(content: bytes) -> None:
    with pytest.raises(VerificationFailed) as failed:
        verify_receipt(read_file(content).text, VERIFIERS)
    assert "\n" not in str(failed.value)


def test_the_constants_that_old_receipts_rest_on() -> None:
    """Worked out elsewhere with nothing but SHA-256; a change here would break every receipt ever given."""
    salt, told, other = bytes(range(32)), b"told", bytes(32)
    assert leaf.told_digest(salt, told).hex() == "9d6ec559ef0cd11dffac862bc6b8dcbd05b147cc0014bdafec55a5c9a83e7192"
    assert leaf.oversight_digest(salt, told).hex() == (
        "ce075f688dcbeeb78bde1af04329b46ec2459450b2faf363c94a5db419913906"
    )
    assert leaf.data_digest(salt, told).hex() == "0a46b48d9bcd5e6891950041c2e92304be809144f5a1b0ea7a4c12fd24d16628"
    opening = leaf.Opening(salt, other, told)
    assert opening.leaf.hex() == "ed4c25e43b0ded75877f0684d75a24a930b240a6bc17a29efdcee59b4e97c6c1"
    assert opening.encode() == b"\x01" + salt + other + told
    assert leaf.open_extra(opening.encode()) == opening


@pytest.mark.parametrize("extra", [b"", b"\x02" + bytes(64), b"\x01" + bytes(63)])
def test_an_extra_of_another_make_is_refused(extra: bytes) -> None:
    with pytest.raises(ValueError, match="extra"):
        leaf.open_extra(extra)

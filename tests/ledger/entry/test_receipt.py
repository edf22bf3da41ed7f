"""Receipts offline: what one proves, and that nothing in it can be changed."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import LEFT_OUT, Presented, check_data, check_extension, read_file, verify_receipt
from gateway.ledger.export import sheet
from gateway.ledger.proof import key_files, leaf, tlog_proof
from gateway.ledger.proof.merkle import Tree, leaf_hash
from gateway.ledger.proof.note import Signer, b64
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


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_found(answers: list[bytes], data: st.DataObject) -> None:
    receipt = receipt_of(answers[4]).encode()
    at = data.draw(st.integers(0, len(receipt) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != receipt[at]))
    changed = receipt[:at] + bytes([byte]) + receipt[at + 1 :]
    with pytest.raises(VerificationFailed):
        verify_receipt(read_file(changed).text, VERIFIERS)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_missing_or_added_part_is_found(answers: list[bytes], data: st.DataObject) -> None:
    receipt = receipt_of(answers[4])
    first = data.draw(st.integers(0, len(receipt)))
    last = data.draw(st.integers(first, len(receipt)))
    changed = receipt[:first] + data.draw(st.sampled_from(["", "A", "\n", "=", "AAAA\n"])) + receipt[last:]
    if changed != receipt:
        with pytest.raises(VerificationFailed):
            verify_receipt(changed, VERIFIERS)


def test_line_ends_of_windows_are_named(answers: list[bytes]) -> None:
    with pytest.raises(
        VerificationFailed, match="its lines end with CR LF, as Windows ends them; save it with LF alone"
    ):
        verify_receipt(receipt_of(answers[0]).replace("\n", "\r\n"), VERIFIERS)


def test_what_its_holder_closed_is_not_told_to_be_erased_for_certain(answers: list[bytes]) -> None:
    text = receipt_of(answers[0])
    extra = tlog_proof.parse(text).extra
    told, oversight = leaf.open_extra(extra)
    (part,) = told.subjects or ()
    closed = leaf.Opening(leaf.Side(told.general, (leaf.subject_digest(*part),)), oversight).encode()
    proved = verify_receipt(text.replace(b64(extra), b64(closed)), VERIFIERS)
    assert proved.left_out
    assert not verify_receipt(text, VERIFIERS).left_out
    assert LEFT_OUT in " ".join(sheet.as_text(proved, data_checked=False).split())
    with pytest.raises(VerificationFailed, match="left out by whoever presents it"):
        check_data(proved, DATA)


def test_a_receipt_of_another_log_is_not_ours(answers: list[bytes]) -> None:
    other = key_files.verifiers(KEY, "elsewhere.example", ["1"])
    with pytest.raises(VerificationFailed, match="no key that you trust"):
        verify_receipt(receipt_of(answers[0]), other)
    with pytest.raises(VerificationFailed, match="no key that you trust"):
        verify_receipt(receipt_of(answers[0]), key_files.verifiers(KEY, ORIGIN, ["2"]))


def test_a_key_cannot_sign_for_another_origin() -> None:
    opening = leaf.Opening(leaf.Side(leaf.Part(bytes(32), b"{}"), ()), bytes(32))
    root = Tree().grow([leaf_hash(opening.leaf)]).tree.root
    note = Signer(f"{ORIGIN}/2", KEY).sign(f"{ORIGIN}/1\n1\n{b64(root)}\n")
    with pytest.raises(VerificationFailed, match="its log is"):
        verify_receipt(tlog_proof.write(opening.encode(), 0, b"", note.encode()).decode(), VERIFIERS)


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


def test_the_answer_to_an_act_has_its_receipt_and_no_data(answers: list[bytes]) -> None:
    text = receipt_of(answers[0])
    answer = {"data": {"setOptOut": {"optedOut": True}}, "extensions": {"act": {"id": "a-1", "receipt": text}}}
    assert read_file(msgspec.json.encode(answer)) == Presented(text)


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
        *(b'{"extensions":{"act":{"receipt":7}}}', b'{"extensions":{}}'),
        *(b"[" * 100_000, b"c2sp.org/tlog-proof@v1\n\xff", b"\x89PNG\r\n\x1a\n" * 9),
    ],
)
def test_garbage_is_one_sentence(content: bytes) -> None:
    with pytest.raises(VerificationFailed) as failed:
        verify_receipt(read_file(content).text, VERIFIERS)
    assert "\n" not in str(failed.value)


DEEP = b'{"nothing":%b}' % (b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize("general", [DEEP, None], ids=["general", "a subject's"])
def test_a_genuine_receipt_that_nests_too_deep_is_one_sentence(general: bytes | None) -> None:
    said = entries.Refused(entries.VERSION, "r", AT, entries.Who(*BY), "", "X", "")
    parts = leaf.Part(bytes(32), general or entries.encode(said)), leaf.Part(bytes(32), DEEP)
    opening = leaf.Opening(leaf.Side(parts[0], (parts[1],)), bytes(32))
    signed = Signer(f"{ORIGIN}/1", KEY).checkpoint(1, leaf_hash(opening.leaf))
    with pytest.raises(VerificationFailed, match="is genuine, but cannot be shown") as failed:
        verify_receipt(tlog_proof.write(opening.encode(), 0, b"", signed.encode()).decode(), VERIFIERS)
    assert "\n" not in str(failed.value)


def test_the_constants_that_old_receipts_rest_on() -> None:
    """Worked out elsewhere with nothing but SHA-256; a change here would break every receipt ever given."""
    salt, told, other = bytes(range(32)), b"told", bytes(32)
    side = leaf.Side(leaf.Part(salt, told), None)
    assert leaf.told_digest(side).hex() == "9d6ec559ef0cd11dffac862bc6b8dcbd05b147cc0014bdafec55a5c9a83e7192"
    assert leaf.oversight_digest(side).hex() == "ce075f688dcbeeb78bde1af04329b46ec2459450b2faf363c94a5db419913906"
    assert leaf.data_digest(salt, told).hex() == "0a46b48d9bcd5e6891950041c2e92304be809144f5a1b0ea7a4c12fd24d16628"
    opening = leaf.Opening(side, other)
    assert opening.leaf.hex() == "ed4c25e43b0ded75877f0684d75a24a930b240a6bc17a29efdcee59b4e97c6c1"
    assert opening.encode() == b"\x01" + salt + other + told
    assert leaf.open_extra(opening.encode()) == opening


def test_the_constants_that_receipts_of_version_2_rest_on() -> None:
    """Worked out here once more, from the words of the module alone."""

    def sha256(*parts: bytes) -> bytes:
        return hashlib.sha256(b"".join(parts)).digest()

    salt, other, erased = bytes(range(32)), bytes(32), bytes(range(32, 64))
    side = leaf.Side(leaf.Part(salt, b"general"), (leaf.Part(other, b"of one"), erased))
    general, one = (
        sha256(b"dutybound/general/v2\n", salt, b"general"),
        sha256(b"dutybound/subject/v2\n", other, b"of one"),
    )
    told = sha256(b"dutybound/told/v2\n", general, one, erased)
    assert leaf.told_digest(side) == told
    assert leaf.oversight_digest(side) == sha256(b"dutybound/oversight/v2\n", general, one, erased)
    opening = leaf.Opening(side, other)
    assert opening.leaf == sha256(b"dutybound/leaf/v2\n", told, other)
    assert opening.encode() == b"".join(
        (b"\x02", other, b"\x01", salt, b"\0\0\0\x07general", b"\x01", other, b"\0\0\0\x06of one", b"\0", erased)
    )
    assert leaf.open_extra(opening.encode()) == opening


@given(st.binary(min_size=32, max_size=32), st.binary(), st.lists(st.binary(max_size=40) | st.none(), max_size=5))
def test_an_extra_is_read_as_it_was_written_and_no_part_of_it_is(
    digest: bytes, general: bytes, subjects: list[bytes | None]
) -> None:
    parts = tuple(digest if body is None else leaf.Part(digest[::-1], body) for body in subjects)
    opening = leaf.Opening(leaf.Side(leaf.Part(digest, general), parts), digest)
    extra = opening.encode()
    assert leaf.open_extra(extra) == opening
    for end in range(len(extra)):
        try:
            shorter = leaf.open_extra(extra[:end])
        except ValueError:
            continue
        assert shorter.leaf != opening.leaf


@pytest.mark.parametrize(
    "extra", [b"", b"\x03" + bytes(64), b"\x01" + bytes(63), b"\x02" + bytes(65), b"\x02" + bytes(32)]
)
def test_an_extra_of_another_make_is_refused(extra: bytes) -> None:
    with pytest.raises(ValueError, match="extra"):
        leaf.open_extra(extra)

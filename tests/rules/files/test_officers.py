"""The officers of `policies/officers.yaml`: who may approve, each of them once."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import Problem
from gateway.rules.files import officers
from gateway.rules.load import load
from tests.rules.policies import SHIPPED, copy, edited, position
from tests.rules.test_sshsig import line

KEYS = [line(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32), "") for number in (1, 2, 3)]
SIGNED = "approvals: signed\nofficers:\n" + "".join(
    f"  {name}: {{issuer: login, sub: p.{name}, key: {key.strip()}}}\n" for name, key in zip("abc", KEYS, strict=True)
)


def told(directory: Path) -> Problem:
    problems: list[Problem] = []
    officers.load(directory, None, problems)
    (problem,) = problems
    return problem


def test_the_shipped_officers() -> None:
    found = load(SHIPPED, {"login": "https://login.example"}).officers
    assert sorted(found.entries) == ["costa", "ilves", "olsen"]
    assert (found.signed, found.days) == (False, 14)
    olsen = found.of("https://login.example", "p.olsen")
    assert olsen is not None
    assert (olsen.name, olsen.title) == ("olsen", "P. Olsen")
    assert found.of("https://other.example", "p.olsen") is None
    assert found.of("https://login.example", None) is None


def test_a_simulation_is_demanded_where_it_is_said(tmp_path: Path) -> None:
    folder, problems = copy(tmp_path), list[Problem]()
    plain = officers.load(folder, None, problems)
    text = (folder / officers.FILE).read_text()
    for said, demanded in (("optional", False), ("required", True)):
        (folder / officers.FILE).write_text(f"simulation: {said}\n{text}")
        found = officers.load(folder, None, problems)
        assert (found.simulated, found.digest != plain.digest) == (demanded, demanded)
    assert problems == []
    (folder / officers.FILE).write_text(f"simulation: yes please\n{text}")
    assert told(folder).path == "simulation"


def test_without_the_file_nobody_approves(tmp_path: Path) -> None:
    directory = copy(tmp_path)
    (directory / officers.FILE).unlink()
    found = load(directory).officers
    assert found == officers.NOBODY
    assert not found.entries


def test_signing_officers(tmp_path: Path) -> None:
    key = line(Ed25519PrivateKey.from_private_bytes(bytes(32)), "somebody@somewhere")
    (tmp_path / officers.FILE).write_text(f"{SIGNED}  d: {{issuer: login, sub: p.d, person: '7', key: {key}}}\n")
    problems: list[Problem] = []
    found = officers.load(tmp_path, None, problems)
    assert problems == []
    assert found.signed
    assert found.by_key(KEYS[1].strip()) == found.entries["b"]
    assert found.by_key("") is None
    assert found.entries["d"].people == {("login", "p.d"), ("login", "7")}


@pytest.mark.parametrize(
    ("before", "after", "word", "says"),
    [
        ("approvals: token", "approvals: sigend", "sigend", "did you mean `signed`?"),
        ("approvals: token", "approval: token", "approval: ", "did you mean `approvals`?"),
        ("expires: P14D", "expires: P1D", "P1D", "from 2 to 90 days"),
        ("expires: P14D", "expires: P91D", "P91D", "from 2 to 90 days"),
        ("costa: {issuer", "Costa: {issuer", "Costa: ", "must be a name in small letters"),
        ("sub: p.costa}", "sub: p.costa, mail: x}", "mail", "unknown key `mail`"),
        ("sub: p.ilves}", "sub: p.costa}", "ilves: ", "is the same person as `costa`"),
        ("sub: p.ilves}", "sub: p.ilves, person: p.costa}", "ilves: ", "is the same person as `costa`"),
        ("sub: p.ilves}", "sub: p.ilves, key: ssh-rsa AAAA}", "ssh-rsa", "must be an SSH public key"),
        ("title: P. Ilves", "title: []", "[]", "must be a name as people write it"),
        ("sub: p.ilves}", "person: p.ilves}", "{issuer: login, title: P. Ilves", "`sub` is missing"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, before: str, after: str, word: str, says: str) -> None:
    directory = edited(tmp_path, officers.FILE, before, after)
    problem = told(directory)
    assert says in problem.message
    assert (problem.line, problem.column) == position(directory, officers.FILE, word)


def test_one_key_is_one_officers_and_signing_needs_one(tmp_path: Path) -> None:
    (tmp_path / officers.FILE).write_text(SIGNED.replace(KEYS[1].strip(), KEYS[0].strip()))
    assert "`b`" not in told(tmp_path).message
    assert told(tmp_path).message == "has the SSH key of `a`; each officer signs with a key of their own"
    (tmp_path / officers.FILE).write_text(SIGNED.replace(f", key: {KEYS[1].strip()}", ""))
    assert told(tmp_path).message == "`key` is missing"


def test_one_officer_is_too_few(tmp_path: Path) -> None:
    (tmp_path / officers.FILE).write_text("officers:\n  a: {issuer: login, sub: p.a}\n")
    assert told(tmp_path).message == "names 1, and 2 have to approve; name more"


def test_the_digest_says_who_may_approve(tmp_path: Path) -> None:
    before = load(SHIPPED).digest
    assert load(edited(tmp_path, officers.FILE, "sub: p.ilves", "sub: p.other")).digest != before
    assert load(edited(tmp_path / "called", officers.FILE, "P. Ilves", "Dr P. Ilves")).digest != before
    commented = edited(tmp_path / "commented", officers.FILE, "expires: P14D", "expires: P14D  # two weeks")
    assert load(commented).digest == before

"""`dutybound changes` and `matters` against a running gateway: whoever acts is who the token says."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway import cli
from tests import configured
from tests.acts.serving import served
from tests.inquiry.issuer import TestIssuer
from tests.world import new_subject


class Desk:
    """A gateway at an address, and token files of its issuer's."""

    def __init__(self, folder: Path, url: str, issuer: TestIssuer) -> None:
        self._folder, self.url, self._issuer = folder, url, issuer

    def token(self, client: str, scope: str, official: str, **claims: Any) -> Path:
        file = self._folder / f"{client}-{official}-{scope}.token"
        token = self._issuer.token(aud=self.url, client_id=client, sub=official, scope=scope, **claims)
        return configured.secret(file, token.decode().removeprefix("Bearer ") + "\n")

    async def run(self, token: Path, *words: str) -> tuple[int, Any, str]:
        """The exit code of a command, the JSON that it printed, and what it said of errors."""
        command, name, *rest = words
        wanted = [command, name, "--gateway", self.url, "--token-file", str(token), *rest]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = await asyncio.to_thread(cli.main, wanted)
        return status, json.loads(out.getvalue()) if out.getvalue() else None, err.getvalue()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with served(tmp_path) as gateway:
        yield Desk(tmp_path, gateway.url, gateway.issuer)


def lei() -> str:
    return f"LEI:{new_subject('organisation').value}"


async def test_a_change_is_reported_listed_and_confirmed(desk: Desk, tmp_path: Path) -> None:
    one, other = (desk.token("tax-stewards", "steward", name) for name in ("t.weber", "t.nowak"))
    who, receipt = lei(), tmp_path / "act.txt"
    status, made, _ = await desk.run(
        one, "changes", "report", who, "tax-arrears", "N-1", "--event", "corrected", "--version", "1",
        "--new-version", "2", "--reason", "Решение № 4", "--receipt", str(receipt),
    )  # fmt: skip
    assert (status, made["state"], made["reason"]) == (0, "AWAITS_CONFIRMATION", "Решение № 4")
    assert made["act"].keys() == {"id", "at"}
    assert "N-1" in receipt.read_text() or receipt.read_text().startswith("c2sp.org/tlog-proof")
    status, page, _ = await desk.run(other, "changes", "list", "--state", "awaits-confirmation")
    assert (status, [each["id"] for each in page["items"]], page["next"]) == (0, [made["id"]], None)
    status, _, said = await desk.run(one, "changes", "confirm", made["id"])
    assert (status, "SECOND_PERSON" in said, "another steward" in said) == (1, True, True)
    status, done, _ = await desk.run(other, "changes", "confirm", made["id"], "--reference", "r-1")
    assert (status, done["__typename"], done["state"], done["dataset"]) == (0, "Change", "DECIDED", "tax-arrears")
    assert (await desk.run(other, "changes", "confirm", made["id"], "--reference", "r-1"))[1] == done
    status, _, said = await desk.run(
        other, "changes", "report", who, "tax-arrears", "N-1", "--event", "reinstated", "--reason", "x"
    )
    assert (status, "(MATTER_INVALID, STATE)" in said) == (1, True)


async def test_what_waits_is_declined(desk: Desk) -> None:
    one, other = (desk.token("tax-stewards", "steward", name) for name in ("t.weber", "t.nowak"))
    who = lei()
    status, made, _ = await desk.run(
        one, "changes", "report", who, "tax-arrears", "N-1", "--event", "withdrawn", "--reason", "it was paid"
    )
    assert status == 0
    status, done, _ = await desk.run(
        other, "changes", "decline", made["id"], "--reason", "it was not", "--reference", "r"
    )
    assert (status, done["state"], done["because"]) == (0, "DECLINED", "it was not")
    status, page, _ = await desk.run(one, "changes", "list", "--state", "declined")
    assert (status, [(each["id"], each["because"]) for each in page["items"]]) == (0, [(made["id"], "it was not")])
    counter = desk.token("tax-stewards", "counter", "t.counter")
    status, applied, _ = await desk.run(
        counter, "matters", "file", "restoration", "--subject", who, "--proof", "identity card 4711",
        "--dataset", "tax-arrears", "--record", "N-2", "--reason", "x",
    )  # fmt: skip
    await desk.run(
        one, "matters", "decide", "restoration", applied["id"], "--outcome", "upheld", "--reason", "made good"
    )
    status, done, _ = await desk.run(other, "matters", "decline", applied["id"], "--reason", "half of it")
    assert (status, done["__typename"], done["state"], done["because"]) == (0, "Matter", "OPEN", "half of it")
    status, _, said = await desk.run(other, "matters", "decline", applied["id"], "--reason", "half of it")
    assert (status, "(MATTER_INVALID, STATE)" in said) == (1, True)


async def test_the_counter_files_and_stewards_answer(desk: Desk) -> None:
    counter = desk.token("tax-stewards", "counter", "t.counter")
    one, other = (desk.token("tax-stewards", "steward", name) for name in ("t.weber", "t.nowak"))
    who = lei()
    of = ("--subject", who, "--proof", "register extract 77/2026")
    status, filed, _ = await desk.run(
        counter, "matters", "file", "objection", *of, "--dataset", "tax-arrears", "--record", "N-1",
        "--reason", "It was paid.", "--paper", "Bank/77/4/2026-11-01", "--paper", "Post/1",
    )  # fmt: skip
    assert (status, filed["kind"], filed["state"], filed["filedBy"]) == (0, "OBJECTION", "OPEN", "tax")
    assert [each["number"] for each in filed["papers"]] == ["77/4", "1"]
    for about in (("--dataset", "tax-arrears"), ("--access", "0" * 32)):
        status, _, said = await desk.run(counter, "matters", "file", "objection", *of, *about, "--reason", "x")
        assert status == 0 or "MATTER" in said
    status, applied, _ = await desk.run(
        counter, "matters", "file", "restoration", *of, "--dataset", "tax-arrears", "--record", "N-2", "--reason", "x"
    )
    assert (status, applied["kind"]) == (0, "RESTORATION")
    status, page, _ = await desk.run(one, "matters", "list", "--first", "1")
    assert (status, len(page["items"]), page["next"] is None) == (0, 1, False)
    status, decided, _ = await desk.run(
        one, "matters", "decide", "objection", filed["id"], "--outcome", "upheld", "--reason", "so it was"
    )
    assert (status, decided["outcome"], decided["because"]) == (0, "UPHELD", "so it was")
    status, decided, _ = await desk.run(
        one, "matters", "decide", "restoration", applied["id"], "--outcome", "upheld", "--reason", "made good"
    )
    assert (status, decided["state"]) == (0, "AWAITS_CONFIRMATION")
    assert (await desk.run(one, "matters", "confirm", applied["id"]))[0] == 1
    status, done, _ = await desk.run(other, "matters", "confirm", applied["id"])
    assert (status, done["__typename"], done["state"]) == (0, "Matter", "DECIDED")


async def test_a_token_decides_who_acts(desk: Desk) -> None:
    who = lei()
    report = ("changes", "report", who, "tax-arrears", "N-1", "--event", "withdrawn", "--reason", "x")
    for token in (
        desk.token("tax-stewards", "counter", "t.weber"),
        desk.token("citizen-portal", "self", "p-1", identifier={"scheme": "LEI", "value": who[4:]}),
    ):
        status, _, said = await desk.run(token, *report)
        assert (status, "(FORBIDDEN)" in said) == (1, True)
    late = desk.token("tax-stewards", "steward", "t.late", exp=1_700_000_000, iat=1_699_999_000)
    status, _, said = await desk.run(late, *report)
    assert (status, "(UNAUTHENTICATED)" in said) == (1, True)
    others = desk.token("market-stewards", "steward", "m.petrov")
    status, _, said = await desk.run(others, *report)
    assert (status, "no dataset" in said) == (1, True)
    mine = desk.token("tax-service", "steward", "tax-service")  # a system, which nobody stands behind
    status, done, _ = await desk.run(mine, *report)
    assert (status, done["state"]) == (0, "DECIDED")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("file", "restoration", "--dataset", "tax-arrears"), "--record"),
        (("file", "objection", "--record", "N-1"), "--dataset"),
        (("file", "objection", "--access", "1", "--paper", "Bank"), "must be an issuer and a number"),
        (("file", "objection", "--access", "1", "--paper", "Bank/1/2026-02-30"), "no day of the calendar"),
    ],
)
async def test_what_is_incomplete_is_refused_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    token = configured.secret(tmp_path / "token", "x.y.z")
    ends = ("--subject", "LEI:1", "--proof", "x", "--reason", "x")
    wanted = ["matters", *words[:2], "--gateway", "http://127.0.0.1:9", "--token-file", str(token), *words[2:], *ends]
    try:
        status = cli.main(wanted)
    except SystemExit as wrong_call:
        status = int(str(wrong_call.code))
    assert status == (2 if "--paper" in words else 1)
    assert said in capsys.readouterr().err


def test_a_token_that_others_may_read_is_not_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = configured.secret(tmp_path / "token", "x.y.z")
    token.chmod(0o640)
    wanted = ["matters", "list", "--gateway", "http://127.0.0.1:9", "--token-file", str(token), "--state", "OPEN"]
    assert cli.main(wanted) == 1
    assert f"may be read by others (mode 0640); run `chmod 600 {token}`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("http://gateway.example", "x.y.z", "must begin with https://"),
        ("http://192.0.2.1", "x.y.z", "must begin with https://"),
        ("http://127.0.0.1:9", "x.y.z", "does not answer"),
        ("http://127.0.0.1:9", "", "one access token"),
        ("http://127.0.0.1:9", "two words", "one access token"),
        ("http://127.0.0.1:9", None, "cannot be read"),
    ],
)
def test_a_token_goes_to_a_gateway_and_nowhere_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, token: str | None, said: str
) -> None:
    file = tmp_path / "token"
    if token is not None:
        configured.secret(file, token)
    assert cli.main(["changes", "list", "--gateway", url, "--token-file", str(file)]) == 1
    assert said in capsys.readouterr().err


def test_an_identifier_has_a_scheme(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["changes", "report", "5493001KJTIIGC8Y1R12", "d", "r"])
    assert ended.value.code == 2
    assert "must be a scheme and a value" in capsys.readouterr().err


async def test_a_steward_samples_its_own_department_by_a_command(desk: Desk, tmp_path: Path) -> None:
    token = desk.token("tax-stewards", "steward", "t.weber")
    status, told, said = await desk.run(token, "source", "sample", "tax-awards", lei(), "--reason", "a new mapping")
    assert (status, told["failure"], told["records"], said) == (1, "SOURCE_UNAVAILABLE", None, "")
    assert told["act"].keys() == {"id", "at"}
    status, _, said = await desk.run(token, "source", "sample", "wage-arrears", lei(), "--reason", "another's")
    assert status == 1
    assert "dataset" in said

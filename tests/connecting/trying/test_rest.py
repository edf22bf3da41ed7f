"""`source test` finds and explains every planted difference of a department with a REST interface."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.connecting.trying import asked
from tests.connecting.trying.planted import TITLE, VALUE, Planted, cases, healthy, rest, row
from tests.connectors.certificates import Authority
from tests.connectors.servers import Request, answer, serve


def answering(case: Planted | None = None):  # type: ignore[no-untyped-def]
    """A department's handler, with the difference planted."""
    rows = [row(1), row(2), row(3)]
    if case is not None and case.rows is not None:
        case.rows(rows)
    made = case.answer if case is not None and case.answer is not None else healthy

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(made(rows, request.target))
        if case is not None and case.ends:
            writer.close()

    return handle


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
async def test_a_planted_difference_is_found_and_explained(case: Planted, tmp_path: Path) -> None:
    async with serve(answering(case)) as server:
        config = rest(server.url)
        if case.config is not None:
            case.config(config)
        trial, places = await asked.trial(asked.department(config, tmp_path))
    told = [str(place).replace(server.url, "") for place in places]  # whose port may have any digits
    (found, *more) = [each for each, said in zip(trial.found, told, strict=True) if case.words in said] or pytest.fail(
        f"{case.words!r} is in none of {told}"
    )
    assert more == []
    assert (found.kind, found.row or case.row) == (case.kind, case.row or found.row)
    own = ("datasets", asked.NAME)
    below = found.key[2:] if found.key[:2] == own else found.key
    assert ".".join(below) == case.key
    assert all(place.line for place in places), told
    for secret in (VALUE, TITLE, VALUE.lower(), "1771", "1.771", "5493001KJTIIGC8Y1R12"):
        assert not any(secret in said for said in told), told


async def test_a_department_that_fits_has_nothing_to_mend(tmp_path: Path) -> None:
    async with serve(answering()) as server:
        trial, places = await asked.trial(asked.department(rest(server.url), tmp_path))
    assert (places, trial.records, trial.declared, trial.untried) == ([], 3, True, "")


async def test_a_key_that_nobody_maps_may_come_and_go(tmp_path: Path) -> None:
    numbers = itertools.count()

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        more = {"served": "x"} if next(numbers) % 2 else {}
        writer.write(healthy([{**each, **more} for each in (row(1), row(2), row(3))], request.target))

    async with serve(handle) as server:
        trial, places = await asked.trial(asked.department(rest(server.url), tmp_path))
    assert (places, trial.records) == ([], 3)
    assert next(numbers) > 2


async def test_made_up_identifiers_are_nobodys_and_the_report_says_that_nothing_was_read(tmp_path: Path) -> None:
    async def nobody(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer({}, 404))

    async with serve(nobody) as server:
        trial, places = await asked.trial(asked.department(rest(server.url), tmp_path, ()))
    assert (places, trial.records, trial.declared) == ([], 0, False)
    assert "declare `test_subjects`" in trial.untried
    for request in server.requests:
        assert asked.rule_set().policies.catalogue.schemes["LEI"].canonical(request.target.rpartition("/")[2])


async def test_somebody_of_whom_it_has_nothing_is_asked_about_too(tmp_path: Path) -> None:
    """Its own test subjects are answered; anybody else, which is most, would be a fault."""

    async def only_its_own(request: Request, writer: asyncio.StreamWriter) -> None:
        if VALUE in request.target:
            await answering()(request, writer)
        else:
            writer.write(answer({"detail": "no such company"}, 400))

    async with serve(only_its_own) as server:
        config = rest(server.url)
        trial, (place,) = await asked.trial(asked.department(config, tmp_path))
        config["datasets"][asked.NAME]["no_records"] = [400]
        fine, _ = await asked.trial(asked.department(config, tmp_path))
    assert "an identifier that nobody has, it fails: status 400" in str(place)
    assert (trial.records, fine.records, fine.found) == (3, 3, [])


async def test_a_slow_department_is_slow_before_it_is_too_slow(tmp_path: Path) -> None:
    async def slowly(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.7)
        await answering()(request, writer)

    async with serve(slowly) as server:
        config = rest(server.url)
        config["limits"]["timeout"] = "1s"
        trial, _ = await asked.trial(asked.department(config, tmp_path))
        config["limits"]["timeout"] = "100ms"
        late, _ = await asked.trial(asked.department(config, tmp_path))
    assert {each.kind for each in trial.found} <= {"slow"}
    assert trial.found
    assert "no whole answer within 0.1 s" in late.found[0].what


async def test_what_is_wrong_with_the_way_there(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    async with serve(answering(), ours.server_context()) as server:
        config = rest(server.url)
        unknown, _ = await asked.trial(asked.department(config, tmp_path))
        trusted = {**config, "tls": {"ca_file": str(ours.ca_file)}}
        fine, _ = await asked.trial(asked.department(trusted, tmp_path))
        plain, _ = await asked.trial(
            asked.department({**config, "base_url": server.url.replace("https", "http")}, tmp_path)
        )
    gone, _ = await asked.trial(asked.department(config, tmp_path))
    async with serve(answering(), ours.server_context(clients=ours)) as server:
        trusted = {**trusted, "base_url": server.url}
        bare, _ = await asked.trial(asked.department(trusted, tmp_path))
        cert, key = others.issue("stranger", client=True)
        auth = {"kind": "mtls", "cert_file": str(cert), "key_file": str(key)}
        stranger, _ = await asked.trial(asked.department({**trusted, "auth": auth}, tmp_path))
    async with serve(answering()) as server:
        secure = {**trusted, "base_url": server.url.replace("http", "https"), "limits": {"timeout": "500ms"}}
        no_tls, _ = await asked.trial(asked.department(secure, tmp_path))
    nowhere, _ = await asked.trial(asked.department({**config, "base_url": "https://no.such.invalid"}, tmp_path))
    assert [(each.kind, each.key) for each in fine.found] == [("ending", ("base_url",))]
    assert "has to renew it" in fine.found[0].what
    said = [(each.found[0].key, each.found[0].what) for each in (unknown, plain, gone, bare, stranger, no_tls, nowhere)]
    wanted = [
        ("tls", "an authority that is not known here"), ("base_url", "closes it without an answer"),
        ("base_url", "nothing listens"), ("auth", "seems to ask for a client certificate"),
        ("auth", "seems to refuse the client certificate"), ("base_url", "does not speak TLS"),
        ("base_url", "there is no host"),
    ]  # fmt: skip
    for (key, what), (wanted_key, words) in zip(said, wanted, strict=True):
        assert (key, words in what) == ((wanted_key,), True), what


async def test_a_system_that_answers_everybody_with_one_subjects_records_is_found(tmp_path: Path) -> None:
    """Whether its records name their subject or not, and however many test subjects are declared."""
    other = asked.WHO._replace(value="5493001KJTIIGC8Y1R12")
    echoes = [False]

    async def everybody_alike(request: Request, writer: asyncio.StreamWriter) -> None:
        held = row(1)
        if echoes[0]:
            held["holder"]["id"] = request.target.rpartition("/")[2]
        writer.write(answer({"result": {"items": [held]}}))

    found: dict[str, list[str]] = {}
    async with serve(everybody_alike) as server:
        for name, named, subjects in (
            ("alone, named", True, (asked.WHO,)), ("alone, not named", False, (asked.WHO,)),
            ("two, not named", False, (asked.WHO, other)), ("echoed", True, (asked.WHO, other)),
            ("made up", False, ()),
        ):  # fmt: skip
            config = rest(server.url)
            echoes[0] = name == "echoed"
            if not named:
                config["datasets"][asked.NAME]["record"]["subject"] = {"not_returned": "an old system"}
            trial, places = await asked.trial(asked.department(config, tmp_path, subjects))
            assert {each.key[2:] for each in trial.found} == {("record", "subject")}, (name, trial.found)
            found[name] = [str(place) for place in places]
    assert "nobody has, it answers with another subject's record" in found["alone, named"][0]
    assert "nobody has, it answers with a test subject's record" in found["alone, not named"][0]
    for name in ("two, not named", "echoed", "made up"):
        assert "two identifiers have the very same records" in found[name][0]
    assert not any(VALUE in said or other.value in said for told in found.values() for said in told)


async def test_a_name_that_may_be_a_value_is_not_shown(tmp_path: Path) -> None:
    """A map by surname or city has values for its names; only what is mapped, or of an answer's form, is shown."""
    maps: list[Any] = [
        {"Kowalska": {"items": []}, "berlin": 1},
        {"result": {"items_list": [], "Jane": 1}},
        {"result": {"items": [{**row(1), "holder": {"Kowalska": VALUE}}]}},
        {"result": {"items": [{key: each for key, each in row(1).items() if key != "name"} | {"Jane": 1}]}},
        {"result": {"items": {"berlin": [row(1)]}}},
    ]
    bodies = [json.dumps(each) for each in maps] + ['{"result": {"items": []}, "Kowalska": 1, "Kowalska": 2}']
    said = []
    for body in bodies:

        async def department(_: Request, writer: asyncio.StreamWriter, body: str = body) -> None:
            writer.write(answer(body.encode()))

        async with serve(department) as server:
            trial, places = await asked.trial(asked.department(rest(server.url), tmp_path))
        assert trial.found, body
        said += [str(place) for place in places]
    for value in ("Kowalska", "berlin", "Jane"):
        assert not any(value in each for each in said), said
    assert any("did you mean `items_list`?" in each for each in said), said
    assert any("there are 2 unlike names" in each for each in said), said

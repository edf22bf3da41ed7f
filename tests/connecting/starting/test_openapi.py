"""What is made of OpenAPI documents of different makers: what they say, what is guessed, and what is left open."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.connecting.starting.model import MOST_DATASETS, MOST_FIELDS
from gateway.connecting.starting.openapi import document
from tests.connecting.starting import styles
from tests.connecting.starting.making import api, gateway, get, of_openapi, record


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return gateway(tmp_path)


def test_a_spring_document(config: Path) -> None:
    made = of_openapi(config, styles.SPRING)
    assert list(made.datasets()) == ["tax-arrears"]
    [found] = made.datasets().values()
    assert (found["path"], found["records"]) == ("/api/v1/companies/{value}/tax-arrears", "content")
    assert found["record"]["subject"] == {"scheme": {"const": "LEI"}, "value": "debtorLei"}
    assert (found["record"]["id"], found["record"]["version"]) == ("id", "lastModifiedAt")
    assert found["paging"] is None, "pages by number: where the next is, nobody knows"
    assert found["fields"] == {
        "noticeNumber": "noticeNumber", "period": "period", "workers": "workers",
        "amountTotal": "amount.total", "amountCurrency": "amount.currency",
    }  # fmt: skip
    fields = made.parts[1]["datasets"]["tax-arrears"]["fields"]
    assert {name: each["type"] for name, each in fields.items()} == {
        "noticeNumber": "String", "period": "String", "workers": "Int",
        "amountTotal": "Decimal", "amountCurrency": "String",
    }  # fmt: skip
    assert fields["period"]["title"] == "Tax period"
    assert made.parts[1]["datasets"]["tax-arrears"]["title"] == "Tax arrears of a company"
    assert "mobilePhone" in made.line("communications and contacts")
    assert "it is a list" in made.line("passed over: `remarks`")
    assert "does not only look up" in made.line("POST /api/v1/companies/{lei}/tax-arrears")
    assert "would list or search all" in made.line("passed over: GET /api/v1/companies:")
    department = made.parts[0]["tax"]
    assert department["base_url"] is None
    assert department["auth"] == {
        "kind": "client_credentials", "token_url": None, "client_id": None, "client_secret_file": "tax.secret",
    }  # fmt: skip
    assert "elsewhere" not in made.out.replace("elsewhere, to which", "").replace("servers elsewhere", "")


def test_a_fastapi_document(config: Path) -> None:
    made = of_openapi(config, styles.FASTAPI)
    [found] = made.datasets().values()
    assert found["path"] == "/v1/subjects/{scheme}/{value}/arrears"
    assert found["records"] == "items"
    assert found["paging"] == {"next": "next_cursor", "param": "cursor"}
    assert found["record"] == {
        "id": "notice_no", "version": "rev", "subject": {"scheme": "id_type", "value": "id_no"},
    }  # fmt: skip
    fields = made.parts[1]["datasets"]["tax-arrears"]["fields"]
    assert {name: each["type"] for name, each in fields.items()} == {
        "noticeNo": "String", "taxPeriod": "String", "issuedOn": "Date", "paid": "Boolean",
    }  # fmt: skip
    assert "does not give it one type" in made.line("passed over: `amount`")
    assert made.parts[0]["tax"]["auth"] == {"kind": "bearer_file", "file": "tax.token"}


def test_a_document_by_hand_with_a_query_and_alternatives(config: Path) -> None:
    made = of_openapi(config, styles.BY_HAND)
    [found] = made.datasets().values()
    assert found["path"] == "/arrears?format=json&lei={value}"
    assert found["records"] == "data.notices"
    assert found["record"]["id"] == "uuid"
    assert found["record"]["version"] == "revision"
    assert found["record"]["document"] == "decisionNo"
    assert found["record"]["subject"] == {"scheme": {"const": "LEI"}, "value": "taxpayer.lei"}
    assert set(found["fields"].values()) == {"taxpayer.name", "amount", "decisionNo"}
    assert "holds itself" in made.line("`taxpayer.parent`")
    assert "not all alternatives have it" in made.line("`vatPeriod`")
    assert "several parameters" in made.line("/arrears/{lei}/{notice}")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ({"type": ["integer", "null"], "format": "int32"}, "Int"),
        ({"type": "integer"}, "Int"),
        ({"type": "integer", "format": "int64"}, "Decimal"),
        ({"type": "integer", "maximum": 10**12}, "Decimal"),
        ({"type": "string", "format": "decimal"}, "Decimal"),
        ({"const": "EUR"}, "String"),
        ({"enum": [True, False, None]}, "Boolean"),
        ({"oneOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "DateTime"),
        ({"allOf": [{"type": "string", "format": "date"}], "nullable": True}, "Date"),
    ],
    ids=str,
)
def test_a_type(config: Path, name: dict[str, object], said: str) -> None:
    made = of_openapi(config, api({"/companies/{lei}/arrears": get(record(amount=name))}, openapi="3.1.0"))
    assert made.parts[1]["datasets"]["tax-arrears"]["fields"]["amount"]["type"] == said


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["string", "integer"]},
        {},
        {"type": "object"},
        {"type": "string", "format": "binary"},
        {"oneOf": [{"type": "string"}, {"type": "number"}]},
        True,
        None,
    ],
    ids=str,
)
def test_what_is_no_single_value_is_passed_over(config: Path, schema: object) -> None:
    made = of_openapi(config, api({"/companies/{lei}/arrears": get(record(amount=schema, due={"type": "string"}))}))
    assert list(made.datasets()["tax-arrears"]["fields"]) == ["noticeNo", "due"]
    assert made.line("passed over: `amount`")


@pytest.mark.parametrize(
    "path",
    [
        {"/patients/{lei}/diagnoses": get(record(due={"type": "string"}))},
        {"/companies/{lei}/memberships": get(record(due={"type": "string"}), summary="Union memberships of a person")},
        {"/companies/{lei}/credit-scores": get(record(due={"type": "string"}))},
        {"/companies/{lei}/entries": get({**record(due={"type": "string"}), "title": "Criminal watchlist"})},
    ],
    ids=lambda path: next(iter(path)),
)
def test_no_list_of_a_special_category_or_a_score_is_proposed(config: Path, path: dict[str, object]) -> None:
    made = of_openapi(config, api({**path, "/companies/{lei}/arrears": get(record(due={"type": "string"}))}))
    assert list(made.datasets()) == ["tax-arrears"]
    assert "may not be in a catalogue" in made.line(f"passed over: GET {next(iter(path))}")


@pytest.mark.parametrize(
    "properties",
    [
        {"religion": {"type": "string"}},
        {"bloodGroup": {"type": "string"}},
        {"position": {"type": "string", "title": "GPS position"}},
        {"reach": {"type": "string", "format": "email"}},
        {"note": {"type": "string", "description": "Political opinion of the person."}},
        {"riskScore": {"type": "integer"}},
        {"person": {"type": "object", "properties": {"ethnicity": {"type": "string"}}}},
    ],
    ids=lambda properties: next(iter(properties)),
)
def test_no_value_of_a_special_category_or_a_score_is_proposed(config: Path, properties: dict[str, object]) -> None:
    made = of_openapi(config, api({"/companies/{lei}/arrears": get(record(due={"type": "string"}, **properties))}))
    assert list(made.datasets()["tax-arrears"]["fields"]) == ["noticeNo", "due"]
    assert "may not be in a catalogue" in made.line(f"passed over: `{next(iter(properties))}")


def test_what_an_operation_needs_beyond_a_subject_is_why_it_is_passed_over(config: Path) -> None:
    due = record(due={"type": "string"})
    paths = {
        "/a/{lei}/arrears": get(due, {"name": "year", "in": "query", "required": True, "schema": {"type": "integer"}}),
        "/b/{lei}/arrears": get(due, {"name": "X-Case", "in": "header", "required": True, "schema": {}}),
        "/i/{lei}/arrears": get(due, {"name": "X-API-Key", "in": "header", "required": True, "schema": {"const": "x"}}),
        "/c/{lei}/arrears": get(due, servers=[{"url": "https://elsewhere.example"}]),
        "/d/{lei}/../arrears": get(due),
        "/e/{lei}/arrêts": get(due),
        "/f/{lei}/arrears": {"get": {"parameters": get(due)["get"]["parameters"], "responses": {}}},
        "/g/{lei}/arrears": get({"type": "string"}),
        "/h/{lei}/arrears": {"$ref": "https://elsewhere.example/paths.json"},
    }
    made = of_openapi(config, api(paths))
    assert made.status == 1
    for path, why in [
        ("/a/", "needs the parameter `year`"),
        ("/b/", "needs the header `X-Case`; map it by hand. Write `headers: {X-Case: VALUE}` in the department"),
        ("/i/", "needs the header `X-API-Key`, which looks like a credential"),
        ("/c/", "a server of its own"),
        ("/d/", "cannot be used in `sources.yaml`"),
        ("/e/", "cannot be used in `sources.yaml`"),
        ("/f/", "does not describe its answer"),
        ("/g/", "no objects that could be records"),
        ("/h/", "is no place in the document"),
    ]:
        [line] = [line for line in made.err.splitlines() if path in line]
        assert why in line


def test_a_header_of_one_value_is_proposed_as_a_guess(config: Path) -> None:
    """It is the department's: where look-ups need different values, which one is a gap."""
    due = record(due={"type": "string"})

    def needs(name: str, **schema: object) -> dict[str, object]:
        return {"name": name, "in": "header", "required": True, "schema": schema}

    paths = {
        "/companies/{lei}/arrears": get(due, needs("X-Region", enum=["north"]), needs("X-Form", const="1")),
        "/companies/{lei}/awards": get(due, needs("X-Region", default="north"), needs("X-Form", const="2")),
    }
    made = of_openapi(config, api(paths))
    assert len(made.datasets()) == 2
    assert "X-Region: north" in made.line("X-Region")
    assert "guess" in made.line("X-Region")
    assert "look-ups need different ones" in made.line("X-Form")


def test_one_reading_has_bounds(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MOST_PATHS", 60)  # to read as many as there may be takes seconds
    many = {f"f{number}": {"type": "string"} for number in range(150)}
    of = get({"$ref": "#/components/schemas/Many"})
    paths = {f"/companies/{{lei}}/arrears-{number}": of for number in range(65)}
    made = of_openapi(config, api(paths, components={"schemas": {"Many": record(**many)}}))
    datasets = made.datasets()
    assert len(datasets) == MOST_DATASETS
    assert all(len(found["fields"]) == MOST_FIELDS - 2 for found in datasets.values())
    assert "all paths after the first 60" in made.out

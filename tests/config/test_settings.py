"""gateway.yaml and the environment: what is read, and what each mistake is told."""

from __future__ import annotations

import importlib.util
import ipaddress
import re
from pathlib import Path

import pytest

from gateway.config.managing import ManageSettings
from gateway.config.oauth import AccessTokenSettings, DPoPSettings, IntrospectionSettings, TLSSettings
from gateway.config.settings import Settings, load, warnings
from gateway.config.tracing import TracingSettings
from gateway.errors import ConfigurationError
from tests.configured import secret

GOOD = """\
listen: 127.0.0.1:8080
public_url: https://gateway.example/
store: sqlite:///var/dutybound.db
valkey: valkey://127.0.0.1:6379
policies: policies
sources: sources.yaml
ledger: {origin: gateway.example/ledger, key_file: ledger.key}
oauth:
  audience: https://gateway.example
  issuers:
    - {issuer: https://login.example, name: login, introspection: null}
    - {issuer: "http://127.0.0.1:9000", official_claim: staff, person_claim: pid, jwks_url: "http://127.0.0.1:9000/keys"}
limits: {body: 64KiB, depth: 8, aliases: 30, tokens: 2000, organisations: 20, deadline: 250ms}
case_registries:
  courts: {kind: case-rest, url: https://courts.example/cases, auth: {client_secret_file: secrets/courts}}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "sources.yaml").write_text("departments: {}\n")
    file = folder / "gateway.yaml"
    file.write_text(text)
    return file


def refused(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(write(folder, text), environ or {})
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def good(folder: Path, environ: dict[str, str] | None = None, text: str = GOOD) -> Settings:
    return load(write(folder, text), {"HOME": "/", **(environ or {})})


def test_every_key_of_the_contract_is_read(tmp_path: Path) -> None:
    settings = good(tmp_path)
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.public_url == "https://gateway.example"
    assert settings.store == f"sqlite:///{tmp_path}/var/dutybound.db"
    assert settings.valkey == "valkey://127.0.0.1:6379"
    assert settings.policies == tmp_path / "policies"
    assert settings.sources == tmp_path / "sources.yaml"
    assert (settings.ledger.origin, settings.ledger.key_file) == ("gateway.example/ledger", tmp_path / "ledger.key")
    login, other = settings.oauth.issuers
    assert (login.issuer, login.name, login.official_claim, login.jwks_url) == (
        "https://login.example",
        "login",
        None,
        None,
    )
    assert login.person_claim is None
    assert (other.name, other.official_claim, other.person_claim, other.jwks_url) == (
        "http://127.0.0.1:9000",
        "staff",
        "pid",
        "http://127.0.0.1:9000/keys",
    )
    assert settings.oauth.aliases["login"] == "https://login.example"
    assert (settings.limits.body, settings.limits.deadline) == (65536, 0.25)
    assert settings.root.at(["case_registries", "courts", "url"]).url() == "https://courts.example/cases"


def test_what_is_optional_has_the_contracts_defaults(tmp_path: Path) -> None:
    text = GOOD.split("limits:", maxsplit=1)[0].replace("valkey: valkey://127.0.0.1:6379\n", "")
    settings = good(tmp_path, text=text)
    assert settings.valkey is None
    assert settings.root.mapping(any_key=True)["case_registries"].mapping(any_key=True) == {}
    assert (settings.limits.body, settings.limits.depth, settings.limits.tokens) == (65536, 8, 2000)


def test_the_environment_wins_nested_and_in_lists(tmp_path: Path) -> None:
    settings = good(
        tmp_path,
        {
            "DUTYBOUND_LISTEN": "[::1]:9999",
            "DUTYBOUND_STORE": "postgresql+asyncpg://gateway:secret@db.example/dutybound",
            "DUTYBOUND_OAUTH__ISSUERS__0__OFFICIAL_CLAIM": "officer",
            "DUTYBOUND_OAUTH__ISSUERS__2__ISSUER": "https://third.example",
            "DUTYBOUND_LIMITS__DEADLINE": "2s",
            "DUTYBOUND_CASE_REGISTRIES__MARKET__KIND": "case-rest",
        },
    )
    assert (settings.host, settings.port) == ("::1", 9999)
    assert settings.store == "postgresql+asyncpg://gateway:secret@db.example/dutybound"
    assert settings.oauth.issuers[0].official_claim == "officer"
    assert settings.oauth.issuers[2].issuer == "https://third.example"
    assert settings.limits.deadline == 2.0
    assert settings.root.at(["case_registries", "market"]).plain() == {"kind": "case-rest"}


def test_proofs_and_certificates_are_read_and_off_is_the_default(tmp_path: Path) -> None:
    plain = good(tmp_path)
    assert (plain.oauth.dpop, plain.tls) == (DPoPSettings(nonce=True, max_age=60.0), TLSSettings())
    assert not plain.tls.client_certificates
    text = GOOD.replace("limits:", "tls: {proxies: [10.0.0.5, fd00::/8], client_certificate_header: X-Cert}\nlimits:")
    read = good(tmp_path, text=text.replace("  issuers:", "  dpop: {nonce: false, max_age: 10s}\n  issuers:"))
    assert read.oauth.dpop == DPoPSettings(nonce=False, max_age=10.0)
    assert read.tls.client_certificate_header == "X-Cert"
    assert [str(network) for network in read.tls.proxies] == ["10.0.0.5/32", "fd00::/8"]
    assert read.tls.client_certificates


def test_the_longest_life_of_a_token_is_a_day_where_nothing_is_said(tmp_path: Path) -> None:
    assert good(tmp_path).oauth.max_lifetime == 86_400
    for text, seconds in {"P1D": 86_400, "P2W": 1_209_600, "PT8H": 28_800, "PT15M": 900, "PT90S": 90}.items():
        read = good(tmp_path, text=GOOD.replace("  issuers:", f"  max_lifetime: {text}\n  issuers:"))
        assert read.oauth.max_lifetime == seconds
    for text in ("1d", "P0D", "P1M", "PT8D", "P8H", "60", "-P1D", "null"):
        (told,) = refused(tmp_path, GOOD.replace("  issuers:", f"  max_lifetime: {text}\n  issuers:"))
        assert "oauth.max_lifetime" in told


def test_the_example_of_the_deployment_page_loads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "deploy" / "README.md").read_text("utf-8")
    example = page.partition("# gateway.yaml, its keys on tokens\n")[2].partition("```")[0]
    head, _, tail = GOOD.replace("valkey: valkey://127.0.0.1:6379\n", "").partition("oauth:\n")
    secret(tmp_path / "login.secret", "secret")
    read = good(tmp_path, text=head + example + tail[tail.index("limits:") :])
    login, other = read.oauth.issuers
    assert login.introspection == IntrospectionSettings("gateway", tmp_path / "login.secret")
    assert (other.name, other.official_claim, other.introspection) == ("other", "staff_id", None)
    assert (read.oauth.dpop, read.tls.client_certificates) == (DPoPSettings(), True)


def of_page(folder: Path, page: str) -> Settings:
    """The settings with the keys on tokens that a page of `deploy/` shows."""
    text = (Path(__file__).parents[2] / "deploy" / page).read_text("utf-8")
    example = text.partition("# gateway.yaml, its keys on ")[2].partition("\n")[2].partition("```")[0]
    head, _, tail = GOOD.partition("oauth:\n")
    secret(folder / "login.secret", "secret")
    return good(folder, text=head + example + tail[tail.index("limits:") :])


def test_the_page_for_keycloak_loads(tmp_path: Path) -> None:
    (issuer,) = of_page(tmp_path, "keycloak.md").oauth.issuers
    assert issuer.access_tokens == AccessTokenSettings(typ="JWT", client_claim="azp")
    assert (issuer.audience, issuer.audience_told, issuer.official_claim) == ("dutybound", True, "staff_id")


def test_the_page_for_canaille_loads(tmp_path: Path) -> None:
    (issuer,) = of_page(tmp_path, "canaille.md").oauth.issuers
    assert issuer.introspection == IntrospectionSettings("gateway", tmp_path / "login.secret")
    assert (issuer.audience, issuer.access_tokens) == ("gateway", AccessTokenSettings())


def test_what_is_particular_to_an_issuer_is_read(tmp_path: Path) -> None:
    asked = "introspection: {client_id: gateway, client_secret_file: login.secret}, audience: not_told"
    secret(tmp_path / "login.secret", "secret")
    first, second = good(tmp_path, text=GOOD.replace("introspection: null", asked)).oauth.issuers
    assert (first.audience, first.audience_told) == (None, False)
    assert (second.audience, second.audience_told, second.metadata_url) == (None, True, None)
    for wrong, told in {
        "audience: not_told": "add `introspection`",
        "access_tokens: {typ: id+jwt}": "access_tokens.typ",
        "access_tokens: {client_claim: 'a b'}": "the name of a claim",
        "metadata_url: nowhere": "metadata_url",
    }.items():
        (said,) = refused(tmp_path, GOOD.replace("introspection: null", wrong))
        assert told in said


def test_the_examples_for_the_operator_load(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "deploy" / "README.md").read_text("utf-8")
    example = page.partition("# gateway.yaml, its key for the operator\n")[2].partition("```")[0]
    assert good(tmp_path, text=example + GOOD).manage == ManageSettings("127.0.0.1", 9464)
    for name in ("manage.token", "manage.crt", "manage.key", "operators.pem"):
        secret(tmp_path / name, "0123456789abcdef" * 2)
    whole = re.sub(r"# (\w+: \S+) .*|# (\w+: \S+)", lambda found: found[1] or found[2], example)
    read = good(tmp_path, text=whole.replace("127.0.0.1", "10.0.0.1") + GOOD).manage
    assert read is not None
    assert (read.host, read.token) == ("10.0.0.1", "0123456789abcdef" * 2)
    files = (read.cert_file, read.key_file, read.client_ca_file)
    assert files == tuple(tmp_path / name for name in ("manage.crt", "manage.key", "operators.pem"))
    assert good(tmp_path, text="manage: 127.0.0.1:9464\n" + GOOD).manage == ManageSettings("127.0.0.1", 9464)
    assert good(tmp_path).manage is None


def test_the_example_for_traces_loads_as_it_stands_and_with_all_that_it_can_have(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "deploy" / "README.md").read_text("utf-8")
    example = page.partition("# gateway.yaml, its key for traces\n")[2].partition("```")[0]
    endpoint = "http://127.0.0.1:4318/v1/traces"
    assert good(tmp_path, text=example + GOOD).tracing == TracingSettings(endpoint)
    assert good(tmp_path).tracing is None
    secret(tmp_path / "collector.token", "0123456789abcdef\n")
    (tmp_path / "collector-ca.pem").touch()
    read = good(tmp_path, text=re.sub(r"(?m)^  # ", "  ", example).replace("0.05", "1") + GOOD).tracing
    networks = (ipaddress.ip_network("10.1.0.0/16"),)
    clients = frozenset({"market-regulator"})
    file = tmp_path / "collector-ca.pem"
    assert read == TracingSettings(endpoint, 1.0, clients, networks, "0123456789abcdef", file)


def test_traces_without_their_packages_are_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"gateway.yaml:1:1: tracing: .*pip install 'dutybound\[otel\]'"):
        good(tmp_path, text="tracing: {endpoint: https://traces.example/v1/traces}\n" + GOOD)


def test_introspection_is_read_and_each_issuers_opaque_tokens_are_told_apart(tmp_path: Path) -> None:
    asked = "introspection: {client_id: gateway, client_secret_file: login.secret, token_prefix: a_, keep: 10s}"
    secret(tmp_path / "login.secret", "secret")
    first, second = good(tmp_path, text=GOOD.replace("introspection: null", asked)).oauth.issuers
    assert first.introspection == IntrospectionSettings(
        "gateway", tmp_path / "login.secret", token_prefix="a_", keep=10.0
    )
    assert second.introspection is None
    both = GOOD.replace("introspection: null", asked).replace("official_claim: staff", asked)
    assert any("give each its own `token_prefix`" in problem for problem in refused(tmp_path, both))


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    problems = refused(
        tmp_path,
        GOOD,
        {"DUTYBOUND_LIMITS__BODY": "big", "DUTYBOUND_LISTNE": "x:1", "DUTYBOUND_LISTEN__PORT": "1"},
    )
    assert problems == [
        "DUTYBOUND_LIMITS__BODY: `big` must be a size, as `64KiB`",
        "DUTYBOUND_LISTEN__PORT: leads nowhere at `PORT`",
        "DUTYBOUND_LISTNE: unknown key `listne` (did you mean `listen`?)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "listen: 127",
            "tracing: {endpoint: http://traces.example/v1/traces}\nlisten: 127",
            "gateway.yaml:1:21: tracing.endpoint: `http://traces.example/v1/traces` must be https",
        ),
        (
            "listen: 127",
            "tracing: {endpoint: https://traces.example, sample: 5%}\nlisten: 127",
            "gateway.yaml:1:53: tracing.sample: `5%` must be a share from 0 to 1",
        ),
        ("listen: 127.0.0.1:8080", "listen: 8080", "gateway.yaml:1:9: listen: `8080` must be `host:port`"),
        ("127.0.0.1:8080", "127.0.0.1:70000", "gateway.yaml:1:9: listen: port `70000` must be from 1 to 65535"),
        (
            "listen: 127",
            "manage: 10.0.0.1:9464\nlisten: 127",
            "gateway.yaml:1:9: manage: `10.0.0.1` can be reached from",
        ),
        ("listen: 127", "manage: 0.0.0.0:9464\nlisten: 127", "gateway.yaml:1:9: manage: `0.0.0.0` can be reached from"),
        (
            "listen: 127",
            "manage: {listen: '10.0.0.1:9464', token_file: /dev/null}\nlisten: 127",
            "gateway.yaml:1:47: manage.token_file: `/dev/null` holds nothing",
        ),
        (
            "listen: 127",
            "manage: {listen: '10.0.0.1:9464', token_file: sources.yaml}\nlisten: 127",
            "gateway.yaml:1:47: manage.token_file: ",
        ),
        (
            "listen: 127",
            "manage: {listen: '10.0.0.1:9464', cert_file: sources.yaml}\nlisten: 127",
            "gateway.yaml:1:9: manage: needs `cert_file` and `key_file` together",
        ),
        ("listen:", "lissten:", "gateway.yaml:1:1: lissten: unknown key `lissten` (did you mean `listen`?)"),
        ("https://gateway.example/", "http://gateway.example", "gateway.yaml:2:13: public_url: `http://gateway.exampl"),
        (
            "https://gateway.example/",
            "https://me:pw@gateway.example",
            "gateway.yaml:2:13: public_url: must name a host",
        ),
        ("sqlite:///var/dutybound.db", "mysql://h/x", "gateway.yaml:3:8: store: unknown database `mysql`"),
        ("sqlite:///var/dutybound.db", "nonsense", "gateway.yaml:3:8: store: must be a database URL"),
        ("sqlite:///var/dutybound.db", "postgresql://u:pw@h/x", "gateway.yaml:3:8: store: a password does not belong"),
        ("valkey://", "valkey://:pw@", "gateway.yaml:4:9: valkey: a password does not belong"),
        (
            "policies: policies",
            f"policies: {'x' * 300}",
            f"gateway.yaml:5:11: policies: `{'x' * 60}…` cannot be read (File name too long)",
        ),
        (
            "sources.yaml",
            "/dev/null",
            "gateway.yaml:6:10: sources: `/dev/null` holds nothing; leave the key out, or name",
        ),
        (
            "policies: policies",
            "policies: /dev/../dev/null",
            "gateway.yaml:5:11: policies: `/dev/../dev/null` is a pipe or a",
        ),
        ("ledger.key", "/dev/null", "gateway.yaml:7:52: ledger.key_file: `/dev/null` holds nothing"),
        ("sources.yaml", "/dev/zero", "gateway.yaml:6:10: sources: `/dev/zero` is a pipe or a device; name a file"),
        ("policies: policies", "policies: nowhere", "gateway.yaml:5:11: policies: there is no folder `nowhere`"),
        ("sources.yaml", "none.yaml", "gateway.yaml:6:10: sources: there is no file `none.yaml`"),
        ("origin: gateway", "origin: https://gateway", "gateway.yaml:7:18: ledger.origin: `https://gateway.example"),
        ("introspection: null", "introspection: {}", "gateway.yaml:11:67: oauth.issuers.0.introspection: needs"),
        ("introspection: null", "introspection: {client_id: g, client_secret_file: no}", "gateway.yaml:11:102: oauth."),
        (
            "introspection: null",
            "introspection: {client_id: g, client_secret_file: sources.yaml, keep: 1h}",
            "gateway.yaml:11:122: oauth.issuers.0.introspection.keep: must be at most 300s",
        ),
        (
            "deadline: 250ms",
            "deadline: 5s, patience: 5s",
            "gateway.yaml:13:103: limits.patience: must be longer than `limits.deadline`",
        ),
        ("limits:", "tls: {cert_file: sources.yaml}\nlimits:", "gateway.yaml:13:6: tls: needs `cert_file`"),
        ("limits:", "tls: {proxies: [10.0.0.1/8]}\nlimits:", "gateway.yaml:13:17: tls.proxies.0: `10.0.0.1/8` must"),
        ("limits:", "tls: {client_certificate_header: X}\nlimits:", "gateway.yaml:13:34: tls.client_certificate_head"),
        (
            "limits:",
            "tls: {cert_file: sources.yaml, key_file: sources.yaml,\n"
            " client_ca_file: sources.yaml, proxies: []}\nlimits:",
            "gateway.yaml:14:41: tls.proxies: connections end either here",
        ),
        ("  issuers:", "  dpop: {max_age: 10m}\n  issuers:", "gateway.yaml:10:19: oauth.dpop.max_age: must be at most"),
        (
            '"http://127.0.0.1:9000"',
            "https://login.example",
            "gateway.yaml:12:7: oauth.issuers.1: issuer `https://login",
        ),
        ("name: login", "name: Login", "gateway.yaml:11:45: oauth.issuers.0.name: `Login` must be a short name"),
        ("body: 64KiB", "body: 64kB", "gateway.yaml:13:16: limits.body: `64kB` must be a size"),
        ("250ms", "0s", "gateway.yaml:13:89: limits.deadline: `0s` must be more than nothing"),
        ("depth: 8", "depth: 0", "gateway.yaml:13:30: limits.depth: `0` must be a whole number from 1"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    problems = refused(tmp_path, GOOD.replace(old, new, 1))
    assert any(told.startswith(problem) for told in problems), problems


def test_all_problems_are_told_at_once_and_a_missing_file_is_one(tmp_path: Path) -> None:
    assert len(refused(tmp_path, "listen: x\n")) == 7
    with pytest.raises(ConfigurationError, match="does not exist; name the file with `--config`"):
        load(tmp_path / "absent.yaml", {})


VALKEY = "valkey: valkey://127.0.0.1:6379\n"


def test_what_a_start_lets_pass_of_counts_is_warned_about(tmp_path: Path) -> None:
    without = GOOD.replace(VALKEY, "")
    assert warnings(good(tmp_path), 8) == warnings(good(tmp_path, text=without), 1) == []
    (several,) = warnings(good(tmp_path, text=without), 3)
    assert "3 processes without a `valkey`" in several
    store = {"DUTYBOUND_STORE": "postgresql+asyncpg://gateway@db.example/dutybound"}
    (lone,) = warnings(good(tmp_path, store, without), 1)
    assert "no `valkey`" in lone
    assert warnings(good(tmp_path, store), 2) == []

"""What files say: the last backup, when certificates end, how old keys are; never what is in them."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from gateway.backup import last
from gateway.config import settings
from gateway.config.settings import Settings
from gateway.status.files import of_backup, of_files
from gateway.status.lines import Line, lasting, table
from tests import configured
from tests.connectors.certificates import Authority

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def found(folder: Path, **changes: object) -> Settings:
    return settings.load(configured.write(folder, **changes), {})


def test_certificates_and_keys_are_shown_by_their_ages(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("server")
    (tmp_path / "ledger.key").write_text("SECRET-OF-THE-LEDGER")
    os.utime(tmp_path / "ledger.key", ((NOW - 400 * DAY).timestamp(),) * 2)
    tls = {"cert_file": str(certificate), "key_file": str(key), "client_ca_file": str(authority.ca_file)}
    (tmp_path / "sources.yaml").write_text("departments: {tax: {auth: {kind: token, token_file: tax.token}}}\n")
    lines = {each.name: each for each in of_files(found(tmp_path, tls=tls), NOW)}
    assert lines["ledger.key_file"] == Line("keys", "ledger.key_file", "written 400 days ago", True, {"days": 400})
    assert lines["departments.tax.auth.token_file"].well is False
    assert {"tls.cert_file", "tls.client_ca_file", "tls.key_file"} <= lines.keys()
    late = {each.name: each for each in of_files(found(tmp_path, tls=tls), NOW + 4000 * DAY)}
    assert late["tls.cert_file"].said.startswith("ended on ")
    assert not late["tls.cert_file"].well
    of = found(tmp_path, tls=tls)
    certificate.write_text("nothing that is a certificate")
    broken = {each.name: each for each in of_files(of, NOW)}
    assert broken["tls.cert_file"].said == "`server.crt` cannot be read (something has not the form that is expected)"
    assert "SECRET" not in table([*lines.values(), *late.values(), *broken.values()])


def test_the_last_backup_is_shown_and_one_that_is_long_ago_wants_a_person(tmp_path: Path) -> None:
    of = found(tmp_path)
    assert of_backup(of, NOW).said == "never, as far as this gateway knows"
    last.write(of, last.Last(1, NOW - 2 * DAY, "/backups/1", 100, {"1": 7}))
    assert of_backup(of, NOW).well
    assert of_backup(of, NOW).said.startswith("2 days ago, ")
    assert not of_backup(of, NOW + 8 * DAY).well
    last.path(of).write_text("{")
    damaged = of_backup(of, NOW)
    assert not damaged.well
    assert "the next backup writes it again" in damaged.said


def test_the_table_marks_what_wants_a_person_and_times_are_as_people_say_them() -> None:
    lines = [Line("ledger", "1", "7 entries"), Line("ledger", "12", "0 entries", False), Line("rules", "", "none")]
    assert table(lines) == "ledger\n  1   7 entries\n! 12  0 entries\nrules\n      none"
    said = [lasting(seconds) for seconds in (-1, 0.4, 59, 60, 3600, 86400, 2 * 86400)]
    assert said == ["0 s", "0 s", "59 s", "1 min", "1 h", "24 h", "2 days"]

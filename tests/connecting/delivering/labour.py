"""The demo's configuration, whose Labour Office delivers files."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.demo import configuration
from deploy.demo.organisations import organisation
from gateway.ledger.proof import key_files
from tests import configured
from tests.connectors.files.delivering import KEY, Department, csv, public
from tests.ports import free_port

FINDING = {
    "file_no": "F-1", "edition": "1", "paper": "D-1", "since": "2026-10-01", "id_scheme": "LEI",
    "id_value": organisation(1).lei, "work_month": "2026-09", "workers": 3, "unpaid": "12.50", "unit": "EUR",
}  # fmt: skip
EMPTY = {
    "person-register": "full_name,enrolled", "volunteering": "work_year,hours_done",
    "employment-contracts": "employer,first_day,wage,unit",
}  # fmt: skip
_RECORD = "file_no,edition,paper,since,id_scheme,id_value"


class Labour(Department):
    """`config` is the gateway's; the department's folder is beside it."""

    def __init__(self, room: Path) -> None:
        place = configuration.Place(room / "var", {name: free_port() for name in configuration.USUAL})
        place.run.mkdir(parents=True)
        configuration.write(place)
        self.gateway = configured.by_folder(place.config)
        key_files.generate(place.run / "ledger.key")
        self.out = place.run / "from-labour"
        self.out.mkdir()
        self.index = place.run / "index-labour"
        (place.run / "labour.signers").write_text(f"{public(KEY)}\n")
        sources = place.run / "sources.yaml"
        head, _, labour = sources.read_text().partition("  labour:")
        labour = re.sub(r" *table: .*\n", "", labour)
        labour = re.sub(
            r"kind: sql\n *url: .*\n",
            "kind: files\n    folder: from-labour\n    signers_file: labour.signers\n    index: index-labour\n"
            "    max_age: 26h\n    poll: 200ms\n",
            labour,
        )
        sources.write_text(f"{head}  labour:{labour}")
        self.sequence = 0

    def hand_over(self, *findings: dict[str, object]) -> None:
        """Put the next delivery there."""
        contents = {
            f"{name}.csv": (name, "csv", f"{_RECORD},{columns}\n".encode(), 0) for name, columns in EMPTY.items()
        }
        self.write({**contents, "wage.csv": ("wage-arrears", "csv", csv(findings, header=[*FINDING]), len(findings))})

"""The Labour Office: PostgreSQL too, with people and firms in tables of their own and views that join them.

The gateway reads the views: a department need not show its tables.
"""

from __future__ import annotations

from deploy.demo.departments import postgres
from deploy.demo.serve import arguments

SCHEMA = """
CREATE TABLE party (
    party_no integer PRIMARY KEY, id_scheme text NOT NULL, id_value text NOT NULL, UNIQUE (id_scheme, id_value)
);
CREATE TABLE resident (
    file_no text PRIMARY KEY, edition integer NOT NULL, paper text, since date,
    party_no integer NOT NULL REFERENCES party DEFERRABLE INITIALLY DEFERRED,
    full_name text NOT NULL, enrolled date NOT NULL
);
CREATE TABLE wage_finding (
    file_no text PRIMARY KEY, edition integer NOT NULL, paper text, since date,
    party_no integer NOT NULL REFERENCES party DEFERRABLE INITIALLY DEFERRED,
    work_month text NOT NULL, workers integer NOT NULL, unpaid numeric(14, 2) NOT NULL, unit char(3) NOT NULL
);
CREATE TABLE voluntary_work (
    file_no text PRIMARY KEY, edition integer NOT NULL, paper text, since date,
    party_no integer NOT NULL REFERENCES party DEFERRABLE INITIALLY DEFERRED,
    work_year integer NOT NULL, hours_done integer NOT NULL
);
CREATE TABLE contract (
    file_no text PRIMARY KEY, edition integer NOT NULL, paper text, since date,
    party_no integer NOT NULL REFERENCES party DEFERRABLE INITIALLY DEFERRED,
    employer text NOT NULL, first_day date NOT NULL, wage numeric(14, 2) NOT NULL, unit char(3) NOT NULL
);
CREATE INDEX ON resident (party_no);
CREATE INDEX ON wage_finding (party_no);
CREATE INDEX ON voluntary_work (party_no);
CREATE INDEX ON contract (party_no);
CREATE VIEW v_resident AS SELECT * FROM resident JOIN party USING (party_no);
CREATE VIEW v_wage_finding AS SELECT * FROM wage_finding JOIN party USING (party_no);
CREATE VIEW v_voluntary_work AS SELECT * FROM voluntary_work JOIN party USING (party_no);
CREATE VIEW v_contract AS SELECT * FROM contract JOIN party USING (party_no);
"""


def main() -> None:
    """Serve until asked to end."""
    options = arguments("The invented region's Labour Office, a PostgreSQL database.").parse_args()
    postgres.serve("labour", options.port, options.data / "labour", SCHEMA)


if __name__ == "__main__":
    main()

"""The Tax Service: its own PostgreSQL database, which the gateway reads with the columns that an inquiry permits."""

from __future__ import annotations

from deploy.demo.departments import postgres
from deploy.demo.serve import arguments

SCHEMA = """
CREATE TABLE arrears (
    notice_no text PRIMARY KEY, rev integer NOT NULL, decision_no text, issued_on date,
    payer_id_type text NOT NULL, payer_id text NOT NULL,
    tax_period text NOT NULL, amount_due numeric(14, 2) NOT NULL, amount_currency char(3) NOT NULL
);
CREATE INDEX ON arrears (payer_id_type, payer_id);
CREATE TABLE registration (
    entry_no text PRIMARY KEY, rev integer NOT NULL, entry_doc text, entered_on date,
    payer_id_type text NOT NULL, payer_id text NOT NULL,
    first_registered date NOT NULL, vat boolean NOT NULL, state text NOT NULL
);
CREATE INDEX ON registration (payer_id_type, payer_id);
CREATE TABLE award (
    award_no text PRIMARY KEY, rev integer NOT NULL, certificate text, given_on date,
    payer_id_type text NOT NULL, payer_id text NOT NULL,
    award_title text NOT NULL, ceremony_on date NOT NULL
);
CREATE INDEX ON award (payer_id_type, payer_id);
CREATE TABLE income (
    statement_no text PRIMARY KEY, rev integer NOT NULL, return_no text, assessed_on date,
    payer_id_type text NOT NULL, payer_id text NOT NULL,
    tax_year integer NOT NULL, taxable numeric(14, 2) NOT NULL, taxable_currency char(3) NOT NULL
);
CREATE INDEX ON income (payer_id_type, payer_id);
"""


def main() -> None:
    """Serve until asked to end."""
    options = arguments("The invented region's Tax Service, a PostgreSQL database.").parse_args()
    postgres.serve("tax", options.port, options.data / "tax", SCHEMA)


if __name__ == "__main__":
    main()

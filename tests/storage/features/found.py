"""Which features of PostgreSQL's SQL a statement uses: what not every engine has that speaks SQL.

`PLAIN` are the parts of a statement that every such engine has. Whatever is neither plain nor known here counts as a
feature under the parser's own name for it, so that nothing new is overlooked.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from sqlglot import exp

PLAIN = frozenset({
    "Add", "Alias", "Alter", "And", "Between", "Boolean", "Case", "Cast", "CheckColumnConstraint", "Coalesce",
    "Column", "ColumnConstraint", "ColumnDef", "Commit", "Constraint", "Count", "Create", "CurrentDatabase",
    "CurrentSchema", "CurrentUser", "DPipe", "DataTypeParam", "DefaultColumnConstraint", "Delete", "Distinct", "Dot",
    "Drop",
    "EQ", "Exists", "ForeignKey", "From", "GT", "GTE", "Group", "Having", "Identifier", "If", "In",
    "IndexParameters", "Insert", "Is", "Join", "LT", "LTE", "Like", "Limit", "Literal", "Lower", "Max", "Min",
    "Mul", "NEQ", "Neg", "Not", "NotNullColumnConstraint", "Null", "Nullif", "Offset", "Or", "Order", "Ordered",
    "Parameter", "Paren", "Placeholder", "PrimaryKey", "PrimaryKeyColumnConstraint", "Reference", "Rollback",
    "Schema", "Select", "SetItem", "Star", "StrPosition", "Sub", "Subquery", "Sum", "Table", "TableAlias",
    "Transaction", "Tuple", "Union", "UniqueColumnConstraint", "Update", "Values", "Var", "Where",
})  # fmt: skip
_TYPES = {"VARBINARY": "bytea", "ARRAY": "array parameters", "SERIAL": "SERIAL"}
_PLAIN_TYPES = {"BIGINT", "INT", "SMALLINT", "TEXT", "VARCHAR", "BOOLEAN"}
_STATEMENTS = (exp.Query, exp.DML, exp.DDL, exp.Alter, exp.Drop, exp.Command, exp.Set, exp.Transaction, exp.Commit,
               exp.Rollback)  # fmt: skip
_SAME = {"RELEASE": "SAVEPOINT"}
_WATCHED = {"pg_stat_activity", "pg_stat_replication"}


def features(statement: str) -> set[str]:
    """The features that a statement uses; raises `sqlglot.errors.ParseError` where it is none."""
    if "pg_catalog" in statement or "pg_type" in statement:  # what drivers and migrations ask, of no form of ours
        return {"pg_catalog"}
    parsed = [tree for tree in sqlglot.parse(statement, dialect="postgres") if tree is not None]
    if not all(isinstance(tree, _STATEMENTS) for tree in parsed):  # a word that the parser does not know
        return {_SAME.get(word := statement.split()[0].upper(), word)}
    tables = {table.name for tree in parsed for table in tree.find_all(exp.Table)}
    return {name for tree in parsed for node in tree.walk() for name in _of(node)} | (tables & _WATCHED)


def _of(node: exp.Expression) -> Iterator[str]:
    match node:
        case exp.Command():
            yield f"{node.this}".upper()
        case exp.Anonymous():
            yield f"{str(node.this).lower()}()"
        case exp.DataType():
            kind = getattr(node.this, "name", str(node.this))
            if kind not in _PLAIN_TYPES:
                yield _TYPES.get(kind, f"type {kind}")
        case exp.CTE():
            if isinstance(node.this, exp.Insert | exp.Update | exp.Delete):
                yield "INSERT in WITH"
        case exp.With():
            yield "WITH RECURSIVE" if node.recursive else "WITH"
        case exp.Index():
            params = node.args.get("params")
            if params is not None and params.args.get("where") is not None:
                yield "partial index"
        case exp.Set():
            yield "SET"
        case exp.Returning():
            yield "RETURNING"
        case exp.OnConflict():
            yield "ON CONFLICT DO UPDATE" if node.expressions else "ON CONFLICT DO NOTHING"
        case exp.Lock():
            yield f"FOR UPDATE{'' if node.args.get('wait') is None else ' SKIP LOCKED or NOWAIT'}"
        case exp.Any() | exp.Array():
            yield "ANY (ARRAY)"
        case exp.Func() if type(node).__name__ not in PLAIN:
            yield f"{node.sql_name().lower()}()"
        case exp.Predicate() if isinstance(node.args.get("this"), exp.Tuple) and not isinstance(node, exp.In):
            yield "row comparison"
        case _ if type(node).__name__ not in PLAIN:
            yield type(node).__name__

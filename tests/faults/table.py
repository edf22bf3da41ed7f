"""The faults of the matrix, by kind of connector, each with the codes that it may have: one of them, and no other.

A fault without a code is none: the data come whole all the same. What a fault is stands in `tests.faults.moods` and
`tests.faults.streams` for departments over HTTP, and in `tests.faults.views` for databases.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.faults.delivered import MOODS as DELIVERED
from tests.faults.delivered import NOTHING
from tests.faults.moods import ENTITIES, GRAPHQL, MOODS, PAGED, WHOSE
from tests.faults.streams import COPIES, ENDLESS, STREAMS, TOKENS
from tests.faults.views import COLUMNS
from tests.faults.ways import X_ROAD, XML

Codes = frozenset[str]
INVALID, UNAVAILABLE, TIMEOUT = (
    frozenset({code}) for code in ("SOURCE_INVALID", "SOURCE_UNAVAILABLE", "SOURCE_TIMEOUT")
)
BROKEN = INVALID | UNAVAILABLE
"""Whether bytes are no HTTP or HTTP that is not allowed is for each parser to say."""
NONE: Codes = frozenset()

OTHERS: Mapping[str, Codes] = {
    "well zipped": NONE,
    "cut short": UNAVAILABLE,
    "no HTTP": UNAVAILABLE,
    "hangs up": UNAVAILABLE,
    "500": UNAVAILABLE,
    "503": UNAVAILABLE,
    "401": UNAVAILABLE,
    "204": UNAVAILABLE,
    "404": NONE,
    "some of 103": NONE,
    "in chunks": NONE,
    "1 MB of escaped keys": NONE,
    "1E-7": NONE,
    "slow": TIMEOUT,
    "drip": TIMEOUT,
    **dict.fromkeys(ENDLESS, BROKEN),
    "endless": INVALID,
    "an endless body": INVALID,
    **dict.fromkeys(COPIES, NONE),
    "an error of the dataset": UNAVAILABLE,
    "an error without a path": UNAVAILABLE,
    "errors for data": UNAVAILABLE,
    "turned round": NONE,
    **dict.fromkeys(TOKENS, UNAVAILABLE),
    "a slow token": UNAVAILABLE | TIMEOUT,
    "a token that drips": UNAVAILABLE | TIMEOUT,
    "an error of X-Road": UNAVAILABLE,
    "an error of X-Road with a 404": UNAVAILABLE,
    "no table": UNAVAILABLE,
    **dict.fromkeys(DELIVERED, NONE),
    **dict.fromkeys(NOTHING, UNAVAILABLE),
    "silent": TIMEOUT | UNAVAILABLE,
}
"""Of what is not simply `SOURCE_INVALID`."""
OF_KIND: Mapping[tuple[str, str], Codes] = {
    ("graphql", "404"): UNAVAILABLE,
    ("entities", "404"): UNAVAILABLE,
    ("sqlite", "endless"): TIMEOUT,
    ("postgresql", "endless"): TIMEOUT,
    # Large answers are read one after the other, with rests; four of so many elements may take longer than is left.
    ("rest-xml", "6,000 small records"): INVALID | TIMEOUT,
    ("mariadb", "endless"): TIMEOUT,
    # It makes the 30 MB, and copies the 64, before it can count them.
    ("mariadb", "30 MB"): INVALID | TIMEOUT,
    ("mariadb", "many large rows"): INVALID | TIMEOUT,
}
TOLD: Mapping[str, Mapping[str, str]] = {"1E-7": {"Decimal": "0.0000001"}}
"""What a fault without a code has the values of a type be."""

_HTTP = [mood for mood in (*MOODS, *STREAMS) if mood != "well"]
_IN_XML = (
    "garbage", "a page", "empty", "null", "a list", "other names", "items as object", "an item as text", "hangs up",
    "500", "404", "204", "many records", "6,000 small records", *WHOSE, "no id", "an empty id", "no version", "no day",
    "two contents", "NaN", "infinity", "a word as decimal", "a list as decimal", "underscores", "a plus", "1E-7",
    "over 32 bits", "half a worker", "slow", "drip", *ENDLESS, *COPIES,
)  # fmt: skip
"""Of what can be wrong in JSON, what is wrong in XML too."""
FAULTS: Mapping[str, tuple[str, ...]] = {
    "rest": (*_HTTP,),
    "rest-post": (*_HTTP,),
    "rest-xml": (*_IN_XML, *XML),
    "xroad": (*_HTTP, *X_ROAD),
    "rest-httpx": (*_HTTP,),
    "rest-paged": (*PAGED, *TOKENS, *COPIES),
    "graphql": (*_HTTP, *GRAPHQL),
    # What its records say of their subject is not asked for.
    "entities": (*(mood for mood in _HTTP if mood not in WHOSE), *GRAPHQL, *ENTITIES),
    "sqlite": (*COLUMNS["sqlite"], "no table"),
    "postgresql": (*COLUMNS["postgresql"], "no table", "silent"),
    "postgresql-ascii": ("not UTF-8",),
    "mariadb": (*COLUMNS["mariadb"], "no table", "silent"),
    "files": DELIVERED,
}


def codes(kind: str, fault: str) -> Codes:
    """What may be told of this fault."""
    return OF_KIND.get((kind, fault), OTHERS.get(fault, INVALID))

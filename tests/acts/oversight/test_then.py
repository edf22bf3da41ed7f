"""The rule set of a past decision: the active one, or a stored one, made elsewhere once and kept for a while."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import insert

from gateway.acts.oversight.then import KEPT, Then
from gateway.errors import ConfigurationError, Problem
from gateway.storage.rules.rulesets import rule_set as table
from tests.stores import store_at
from tests.world import rule_set


def test_it_is_what_is_active_or_stored(tmp_path: Path) -> None:
    store, now, asked = store_at(tmp_path / "store.db"), rule_set(), list[tuple[bytes, str]]()

    def make(files: bytes, digest: str, _how: Any) -> Any:
        asked.append((files, digest))
        if files == b"broken":
            raise ConfigurationError([Problem("rules", 0, 0, "", "cannot be read")])
        return f"rules of {digest}"

    stored = {"a": b"A", "b": b"B", "c": b"C", "x": b"broken"}
    with store.engine.begin() as connection:
        connection.execute(insert(table), [{"digest": name, "files": files, "at": 0} for name, files in stored.items()])
    then = Then(store, lambda: now, make, None)  # type: ignore[arg-type]
    assert then.of(now.digest) is now
    assert then.of("none") is None
    assert then.of("x") is None
    asked.clear()
    for digest in ("a", "a", "b", "a"):
        assert str(then.of(digest)) == f"rules of {digest}"
    assert asked == [(b"A", "a"), (b"B", "b")]
    assert KEPT == 2
    assert str(then.of("c")) == "rules of c"
    assert str(then.of("a")) == "rules of a"  # `b` was longest unused
    assert str(then.of("b")) == "rules of b"
    assert [digest for _, digest in asked] == ["a", "b", "c", "b"]
    store.close()

"""How tiles are named (c2sp.org/tlog-tiles). Pure."""

from __future__ import annotations


def tile_number(number: int) -> str:
    """A tile's number as its path has it: `1234067` is `x001/x234/067`."""
    text = f"{number % 1000:03}"
    while number := number // 1000:
        text = f"x{number % 1000:03}/{text}"
    return text


def tile_file(kind: str, number: int, width: int, full: int) -> str:
    """The path of a tile that holds `width` of `full`: `tile/0/001`, `tile/entries/002.p/17`."""
    return f"{kind}/{tile_number(number)}" + (f".p/{width}" if width < full else "")

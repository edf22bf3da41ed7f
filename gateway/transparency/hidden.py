"""Which figures are shown: none under `LEAST`, and none by which one of those could be worked out. Pure.

Zero is under it too: that an authority asked for something never at all is told as little as that it asked once. Where
a total is shown, the smallest figures that are left are hidden as well, until no hidden one is known: neither by who
knows only what is shown, nor by who knows besides which authorities could not have asked at all.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

LEAST = 10

K = TypeVar("K", bound=Hashable)
_Span = tuple[int, int]


class Shown(NamedTuple, Generic[K]):
    """The figures that are shown, and their total; None where it would reveal too much."""

    cells: Mapping[K, int]
    total: int | None


def shown(cells: Mapping[K, int], sortable: Collection[K] | None = None) -> Shown[K]:
    """What is shown of figures that add up to their total. `cells` has every figure that there could be, zeros too."""
    order = sorted(sortable or cells, key=repr)
    total = sum(cells.values())
    large = {key: cells[key] for key in order if cells[key] >= LEAST}
    small = [cells[key] for key in order if cells[key] < LEAST]
    if not small:
        return Shown(large, total)
    left = dict(large)
    for key in sorted(large, key=lambda each: (large[each], repr(each))):
        del left[key]
        if not left:
            break
        beside = [value for name, value in large.items() if name not in left]
        if _safe(small, beside, min(left.values())):
            return Shown(left, total)
    return Shown(large, None)


def _safe(small: Sequence[int], beside: Sequence[int], most: int) -> bool:
    """Whether no figure under `LEAST` is known from the sum of all that are hidden.

    Those hidden `beside` are from `LEAST` up to the smallest one shown, `most`; that one of them is known is no harm.
    """
    sums = sum(small) + sum(beside)
    wide, narrow = [(0, LEAST - 1)] * len(small), [(1, LEAST - 1) for each in small if each]
    return _open(wide, [(LEAST, most)] * len(beside), sums) and _open(narrow, [(LEAST, most)] * len(beside), sums)


def _open(small: Sequence[_Span], beside: Sequence[_Span], total: int) -> bool:
    """Whether each of the small figures, within its span, can be more than one where all add up to `total`."""
    spans = [*small, *beside]
    lows, highs = sum(low for low, _ in spans), sum(high for _, high in spans)
    return all(max(low, total - (highs - high)) < min(high, total - (lows - low)) for low, high in small)

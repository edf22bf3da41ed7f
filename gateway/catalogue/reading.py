"""A text as people read it, whatever letters it is written with. Pure.

People who review a catalogue see letters, and a program sees characters. Where the two differ, a word that people read
would not be found. So letters of another alphabet are taken for the Latin ones that they look like, and digits for
letters; accents, wide and joined letters, and what has no width are made plain. What comes out is for looking words up,
and is never shown.
"""

from __future__ import annotations

import re
import unicodedata

_ALIKE = str.maketrans(
    # Cyrillic, Greek, Armenian, and Latin letters that have no simpler form.
    "АВЕКМНОРСТУХІЈЅԌѴӀаеорсухіјѕһԁԛԝѵӏкгΑΒΕΖΗΙΚΜΝΟΡΤΥΧαειουκνορτօոսհıłøđħŧɑɡɩʀɴʟ",
    "ABEKMHOPCTYXIJSGVlaeopcyxijshdqwvlkrABEZHIKMNOPTYXaeioukvoptonuhilodhtagirnl",
)
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Fillers, which are letters or signs, and show nothing."""
_WITHIN = re.compile(r"(?<=[^\W\d_])[013457]+(?=[^\W\d_])")
_DIGITS = tuple(str.maketrans("013457", letters) for letters in ("oieast", "oleast"))


def as_it_reads(text: str) -> str:
    """The text in plain letters, without accents and without what is not seen."""
    plain = unicodedata.normalize("NFKD", text)
    seen = [each for each in plain if each not in _UNSEEN and unicodedata.category(each) not in ("Cf", "Mn", "Me")]
    return "".join(seen).translate(_ALIKE)


def digits_as_letters(word: str) -> list[str]:
    """A word with digits between its letters, in each way in which they can be read as letters; none without them."""
    if _WITHIN.search(word) is None:
        return []
    return [_WITHIN.sub(lambda found, table=table: found[0].translate(table), word) for table in _DIGITS]  # type: ignore[misc]

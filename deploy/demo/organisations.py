"""The region's organisations, each made from its number alone.

LEIs follow ISO 17442: an invented issuer prefix, two zeroes, twelve characters, two ISO 7064 Mod 97,10 check digits.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

from stdnum.iso7064 import mod_97_10

from deploy.demo.dice import Dice

COUNT = 10_000
"""How many organisations are registered; numbers from here on give valid LEIs that no department knows."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLACES = (
    "Alder", "Birchwood", "Calder", "Dunmere", "Eastmarch", "Fenwick", "Greyfield", "Harrow", "Inverlake", "Juniper",
    "Kestrel", "Longford", "Marsh", "Northgate", "Oakhurst", "Pinebrook", "Quarry", "Riverton", "Stonebridge",
    "Thornbury", "Upwell", "Vale", "Westmoor", "Yarrow",
)  # fmt: skip
_TRADES = (
    "Bakery", "Brewing", "Builders", "Carpentry", "Chemicals", "Components", "Dairy", "Electrics", "Fisheries",
    "Foundry", "Freight", "Gardens", "Glassworks", "Haulage", "Instruments", "Joinery", "Laundry", "Machining",
    "Masonry", "Mills", "Orchards", "Packaging", "Paints", "Papers", "Plumbing", "Printing", "Quarries", "Roofing",
    "Sawmill", "Shipyard", "Steel", "Textiles", "Tiles", "Timber", "Tooling", "Vineyards", "Waterworks", "Weaving",
)  # fmt: skip
LEGAL_FORMS = ("limited company", "public company", "cooperative", "foundation", "partnership")
_SUFFIX = {
    "limited company": "Ltd", "public company": "plc", "cooperative": "Cooperative", "foundation": "Foundation",
    "partnership": "Partners",
}  # fmt: skip


class Organisation(NamedTuple):
    """One organisation as the register knows it."""

    number: int
    lei: str
    name: str
    legal_form: str
    registered_on: datetime.date

    @property
    def identifier(self) -> tuple[str, str]:
        """Scheme and value, as the gateway names the subject."""
        return ("LEI", self.lei)


def lei(number: int) -> str:
    """The valid LEI of organisation `number`; different numbers give different LEIs."""
    serial = number + 1
    tail = ""
    scrambled = serial * 0x9E3779B97F4A7C15 % 36**12  # prime to 36**12: a permutation
    for _ in range(12):
        scrambled, digit = divmod(scrambled, 36)
        tail += _ALPHABET[digit]
    body = "9DBX00" + tail
    return str(body + mod_97_10.calc_check_digits(body))


def organisation(number: int) -> Organisation:
    """Organisation `number`; the same on every machine."""
    dice = Dice(f"organisation/{number}")
    form = dice.pick(LEGAL_FORMS)
    name = f"{dice.pick(_PLACES)} {dice.pick(_TRADES)} {_SUFFIX[form]}"
    registered = datetime.date(1975, 1, 1) + datetime.timedelta(days=dice.below(17_000))
    return Organisation(number, lei(number), name, form, registered)

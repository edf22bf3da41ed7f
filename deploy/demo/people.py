"""The region's people, each made from its number alone.

A PIN is nine digits and an ISO 7064 Mod 11,10 check digit. The names are invented words; nobody real is meant.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

from stdnum.iso7064 import mod_11_10

from deploy.demo.dice import Dice

COUNT = 2_000
"""How many people are registered; numbers from here on give valid PINs that no department knows."""

_GIVEN = (
    "Adal", "Benna", "Corin", "Delia", "Edda", "Faro", "Gilda", "Hanno", "Ilse", "Joram", "Kaya", "Lorin", "Mirka",
    "Nilo", "Orla", "Pavo", "Quill", "Runa", "Sanno", "Tilde", "Ulla", "Varen", "Wenna", "Yorick", "Zella",
)  # fmt: skip
_FAMILY = (
    "Ambleforth", "Brackwater", "Coldwell", "Dunnock", "Elmsworth", "Farrowdale", "Glasswright", "Hollowmere",
    "Ironside", "Kettlewick", "Larkspur", "Millrace", "Netherby", "Oldacre", "Pennyworth", "Quenby", "Rushmoor",
    "Saltmarsh", "Tarnside", "Underhill", "Wetherfold", "Yewbarrow",
)  # fmt: skip


class Person(NamedTuple):
    """One person as the register knows them."""

    number: int
    pin: str
    name: str
    registered_on: datetime.date

    @property
    def identifier(self) -> tuple[str, str]:
        """Scheme and value, as the gateway names the subject."""
        return ("PIN", self.pin)


def pin(number: int) -> str:
    """The valid PIN of person `number`; different numbers give different PINs."""
    body = f"{100_000_000 + (number + 1) * 387_420_493 % 900_000_000:09d}"  # prime to the span: a permutation
    return body + str(mod_11_10.calc_check_digit(body))


def person(number: int) -> Person:
    """Person `number`; the same on every machine."""
    dice = Dice(f"person/{number}")
    name = f"{dice.pick(_GIVEN)} {dice.pick(_FAMILY)}"
    registered = datetime.date(1985, 1, 1) + datetime.timedelta(days=dice.below(14_000))
    return Person(number, pin(number), name, registered)

"""Secrecy with an end (Art. 42): until when a subject does not learn that somebody looked. Pure.

Where a purpose's law lets the subject be told later, `secrecy: {max}` of the purpose sets the delay; no caller can ask
for it, lengthen it, or be asked to lift it. The entry keeps its end, so the delay ends by itself, whatever becomes of
the purpose, the rules or the requester. From when a subject is shown an entry says `projections.extract.visible`.
"""

from __future__ import annotations

import datetime


def ends(last: datetime.date, zone: datetime.tzinfo) -> datetime.datetime:
    """When an inquiry that is secret through a day is so no longer: midnight after it, in `zone`."""
    midnight = datetime.datetime.combine(last + datetime.timedelta(days=1), datetime.time(), zone)
    return midnight.astimezone(datetime.UTC)

"""Rule sets of the bench's invented world that differ in what every answer and entry shows, and large ones.

A variant has its own number in three places that different steps read: the department of every client (step 1), a field
that its purpose does not have (step 4), and when an answer is to be deleted (step 9). So a mixture of two shows.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

from gateway.activation.archive import pack as packing
from gateway.activation.archive import packed, unpacked
from gateway.activation.loading import Reading, loaded
from tests.bench import data, world

GROUP = data.GROUPS["50"]
_DELETED = 90


class Variant(NamedTuple):
    """A rule set that can be activated, and what it shows."""

    digest: str
    files: bytes
    denied: str
    department: str
    kept: int
    """Days until an answer is to be deleted."""

    def delete_by(self, today: datetime.date) -> str:
        return (today + datetime.timedelta(days=self.kept)).isoformat()


def variant(policies: Path, number: int, how: Reading) -> Variant:
    """The rule set of a folder, as another one."""
    files = unpacked(packed(policies))
    denied = GROUP.fields[number % len(GROUP.fields)]
    department = data.DEPARTMENTS[number % len(data.DEPARTMENTS)]
    names = ", ".join(data.FIELDS)
    purposes = files["purposes.yaml"].decode().replace(f"P{_DELETED}D", f"P{_DELETED + number}D")
    less = ", ".join(name for name in data.FIELDS if name != denied)
    files["purposes.yaml"] = purposes.replace(f"[{names}]", f"[{less}]").encode()
    registered = files["requesters.yaml"].decode()
    files["requesters.yaml"] = registered.replace("department: alpha\n", f"department: {department}\n").encode()
    made = packing(files)
    return Variant(loaded(made, None, how).digest, made, denied, department, _DELETED + number)


def enlarge(folder: Path, datasets: int, requesters: int) -> None:
    """Make a configuration's policies larger, with a source for each dataset, but nothing that is asked for."""
    policies, extra = folder / "policies", datasets - len(data.DEPARTMENTS)
    sources = (folder / "sources.yaml").read_text()
    purposes = (policies / "purposes.yaml").read_text()
    for number in range(extra):
        department = data.DEPARTMENTS[number % len(data.DEPARTMENTS)]
        name, more = data.dataset(department), f"{department}-more-{number}"
        file = policies / "catalogue" / f"{department}.yaml"
        block = world._catalogue(department).partition("datasets:\n")[2].replace(f"  {name}:", f"  {more}:")
        file.write_text(file.read_text() + block.replace(f"Notices of {department}", f"More of {department} {number}"))
        mapping = world._source(department, "").partition("    datasets:\n")[2].replace(f"{name}:", f"{more}:")
        mapping = mapping.replace("/subjects/", f"/more-{number}/")
        head, mark, tail = sources.partition(f"      {name}:\n")
        sources = f"{head}{mapping}{mark}{tail}"
        names = ", ".join(data.FIELDS)
        purposes += f"    {more}: {{names: [{names}], because: The bench measures it., basis: {world.BASIS}}}\n"
    (folder / "sources.yaml").write_text(sources)
    (policies / "purposes.yaml").write_text(purposes)
    registered = policies / "requesters.yaml"
    text = registered.read_text()
    for number in range(requesters - world.CLIENTS - 1):
        text += f"""  - issuer: login
    client: more-{number}
    title: More {number}
    department: bravo
    roles: [department]
    grants:
      - purpose: {world.PURPOSE}
        datasets: [{", ".join(data.dataset(each) for each in data.DEPARTMENTS)}]
        from: 2026-01-01
        until: 2099-12-31
        agreed_by: The bench
"""
    registered.write_text(text)

"""What of recalls keeps a subject from being erased (Art. 47(2)): whoever has its records is notified to delete them
first.

The request of an erasure inserts the job. Until the recipients of what is not to be deleted by itself yet are found,
and as long as one has not said that it deleted, the approval is refused: afterwards nobody could tell who they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, select

from gateway.ledger.erasure.blockers import Blocker
from gateway.storage.recall.recalls import OPEN, SELECTING, recall, recall_job


def _jobs(subject: tuple[str, str], keys: Sequence[int]) -> Select[tuple[str]]:
    mine = (recall_job.c.scheme == subject[0], recall_job.c.value == subject[1])
    return select(recall_job.c.id).where(*mine, SELECTING)


def _recalls(subject: tuple[str, str], keys: Sequence[int]) -> Select[tuple[str]]:
    mine = (recall.c.scheme == subject[0], recall.c.value == subject[1])
    return select(recall.c.id).where(*mine, OPEN)


RECALLS = (
    Blocker("selection of recalls", _jobs, "its recipients are found within minutes while `dutybound serve` runs"),
    Blocker("recall", _recalls, "its recipient has to acknowledge it first", lambda said, _: said.recalls),
)

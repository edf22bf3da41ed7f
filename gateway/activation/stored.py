"""Which rule set is active, by the store: what every process and every command with `--config` uses.

Where nothing was activated yet, `rules: files` goes by the folder of `policies`: the first start activates it. With
`rules: activated` the folder is never read.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Engine, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from gateway.activation.loading import Reading, loaded, reading, rules_in
from gateway.config.settings import Settings
from gateway.errors import ConfigurationError, Problem, StoreUnavailable
from gateway.rules.ruleset import RuleSet
from gateway.saying import in_words
from gateway.storage.rules import rulesets
from gateway.storage.store import not_made, read_configured, sqlite_path

BOOTSTRAP = "no rule set was activated yet; run `dutybound rules bootstrap`, which takes the first one"
FILES = "files"
"""How a start activates what stands in its folder."""
BY_FOLDER = (
    "this gateway takes its rule set from a folder (`rules: files`), and could not start again after people activated"
    " one: set `rules: activated` in `gateway.yaml` on every replica, and run `dutybound rules bootstrap`"
)
"""Why people activate nothing where a folder is gone by."""


class Stored(NamedTuple):
    """The active rule set as it is kept; `how` is what activated it."""

    epoch: int
    digest: str
    how: str
    files: bytes


class InForce(NamedTuple):
    """A rule set, and the epoch since which it is active: 0 where it is a folder's that was never activated."""

    epoch: int
    rules: RuleSet


class NothingActive(ConfigurationError):
    """`rules: activated`, and nothing ever was."""


def stored(engine: Engine, epoch: int | None = None) -> Stored | None:
    """What is active, or was since an `epoch`; None where nothing was. Blocks; raises `StoreUnavailable`."""
    of = rulesets.activation.c
    query = (
        select(of.epoch, of.digest, of.how, rulesets.rule_set.c.files)
        .join(rulesets.rule_set, rulesets.rule_set.c.digest == of.digest)
        .order_by(of.epoch.desc())
        .limit(1)
    )
    if epoch is not None:
        query = query.where(of.epoch == epoch)
    try:
        with engine.connect() as connection:
            row = connection.execute(query).first()
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the active rule set cannot be read ({in_words(error)})") from error
    return None if row is None else Stored(row.epoch, row.digest, row.how, row.files)


def stored_as(engine: Engine, digest: str) -> Stored | None:
    """What is stored under a digest, active or not: its epoch is 0. As `stored`."""
    of = rulesets.rule_set.c
    try:
        with engine.connect() as connection:
            row = connection.execute(select(of.files).where(of.digest == digest)).first()
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"a stored rule set cannot be read ({in_words(error)})") from error
    return None if row is None else Stored(0, digest, "", row.files)


def approved(engine: Engine) -> bool:
    """Whether people ever activated a set, and not only a start the files of its folder. Blocks."""
    query = select(rulesets.activation.c.epoch).where(rulesets.activation.c.how != FILES).limit(1)
    with engine.connect() as connection:
        return connection.execute(query).first() is not None


def refuse_files(settings: Settings, engine: Engine) -> None:
    """Raises `ConfigurationError` where people activated a set, and `gateway.yaml` has `rules: files`. Blocks."""
    if settings.rules == FILES and approved(engine):
        say = (
            "must be `activated`: people activated a rule set of this store, and a folder no longer replaces it."
            " Propose its files with `dutybound rules propose`"
        )
        raise ConfigurationError([Problem(str(settings.file), 0, 0, "rules", say)])


def in_force(settings: Settings, engine: Engine, *, signing: bool = False) -> InForce:
    """The rule set that holds for a command or a process; blocks.

    Raises `ConfigurationError` (`NothingActive` where there is none yet) and `StoreUnavailable`.
    """
    return _read(settings, stored(engine), signing=signing)


def of_folder(settings: Settings, how: Reading) -> RuleSet:
    """The rule set of the configured folder; raises as `in_force`."""
    if settings.rules != FILES:
        raise NothingActive([Problem(str(settings.file), 0, 0, "rules", BOOTSTRAP)])
    problems: list[Problem] = []
    found = rules_in(settings.policies, how, problems)
    if found is None:
        raise ConfigurationError(problems)
    return found


def kept(settings: Settings) -> Stored | None:
    """What is active in the configured store, which is looked at and not made; None where there is none yet.

    Raises `ConfigurationError` where it cannot be read, or as `refuse_files`; and `StoreUnavailable`.
    """
    file = str(settings.file)
    if make_url(settings.store).get_backend_name() == "sqlite" and not_made(sqlite_path(settings.store, file)):
        return None
    store = read_configured(settings)
    try:
        if not inspect(store.engine).has_table(rulesets.activation.name):
            return None
        refuse_files(settings, store.engine)
        return stored(store.engine)
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the store is out of reach ({in_words(error)})") from error
    finally:
        store.close()


def of(settings: Settings, *, signing: bool = False) -> InForce:
    """As `in_force`, of a store that is not open yet."""
    return _read(settings, kept(settings), signing=signing)


def _read(settings: Settings, found: Stored | None, *, signing: bool) -> InForce:
    how = reading(settings, signing=signing)
    if found is None:
        return InForce(0, of_folder(settings, how))
    return InForce(found.epoch, loaded(found.files, found.digest, how))

"""`dutybound catalogue consult`, `approve`, `publish`, `retire` and `status`: how a dataset comes into the catalogue.

Each asks a running gateway, as whoever the token in `--token-file` says. What is meant is the definition in the
policies folder at hand, which is read here as a start reads it: the gateway is told its digest, and refuses another
than the one that was consulted on. Exit codes: 0 done, 1 refused, 2 a wrong call.
"""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import quote

from gateway.catalogue import definitions, load
from gateway.catalogue.model import Catalogue, Dataset
from gateway.command import options
from gateway.errors import CommandRefused, ConfigurationError, Problem
from gateway.web import calling

PUBLISHED = "published"
NO_OTHERS = Catalogue({}, {}, {}, "", whole=False)


def register(commands: Any) -> None:
    """Add them to the commands of `catalogue`."""
    consult = _act(commands, "consult", "open the consultation on a dataset's definition, with a published notice")
    consult.add_argument("--notice", required=True, metavar="TEXT", help="what is consulted on, and where to answer")
    consult.add_argument("--days", required=True, type=int, metavar="N", help="its term, in working days")
    consult.set_defaults(run=_consult)

    approve = _act(commands, "approve", "approve a definition after its consultation; it takes two stewards, one each")
    approve.add_argument("--reason", metavar="TEXT", help="what the consultation brought; the first steward enters it")
    approve.set_defaults(run=lambda given: _moved(given, "approve"))

    publish = _act(commands, "publish", "publish an approved definition: from then on a rule set may contain it")
    publish.add_argument("--reason", metavar="TEXT", help="what is announced with it")
    publish.set_defaults(run=lambda given: _moved(given, "publish"))

    retire = _act(commands, "retire", "retire a dataset: no rule set that publishes it can be activated any more")
    retire.add_argument("--reason", required=True, metavar="TEXT", help="why; everybody can read it")
    retire.set_defaults(run=_retire)

    status = commands.add_parser("status", help="the step that each dataset has reached; public, so it takes no token")
    calling.add_arguments(status, token=False)
    status.add_argument("dataset", metavar="DATASET", nargs="?", help="with all that was done with it, and the reasons")
    status.set_defaults(run=_status)


def _act(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text)
    parser.add_argument("dataset", metavar="DATASET", help="its id, such as `tax-arrears`")
    calling.add_arguments(parser)
    if name != "retire":
        options.policies(parser)
    parser.add_argument(
        "--reference", metavar="TEXT", help="your own reference; repeated within 24 hours, it acts once"
    )
    return parser


def _consult(given: argparse.Namespace) -> int:
    dataset = _meant(given)
    folder = given.policies / "catalogue"
    for file in (folder / f"{dataset.department}.yaml", *sorted(folder.glob("*.yaml"))):
        text = file.read_text("utf-8") if file.is_file() else ""
        if load.one(text, str(file), dataset.id, NO_OTHERS, []) == dataset:
            return _done(given, "consult", text=text, file=file.name, notice=given.notice, days=given.days)
    raise CommandRefused(f"no file in `{folder}` has the dataset `{dataset.id}`")


def _moved(given: argparse.Namespace, what: str) -> int:
    return _done(given, what, definition=definitions.digest(_meant(given)), reason=given.reason)


def _retire(given: argparse.Namespace) -> int:
    return _done(given, "retire", reason=given.reason)


def _meant(given: argparse.Namespace) -> Dataset:
    """The dataset of the policies folder at hand; raises `ConfigurationError` where that has problems."""
    problems: list[Problem] = []
    found = load.load(given.policies, problems)
    if problems:
        raise ConfigurationError(problems)
    if given.dataset not in found.datasets:
        raise CommandRefused(f"`{given.policies}` has no dataset `{given.dataset}`")
    return found.datasets[given.dataset]


def _done(given: argparse.Namespace, what: str, **arguments: Any) -> int:
    there = {name: value for name, value in {**arguments, "reference": given.reference}.items() if value is not None}
    told = calling.called(given, "POST", f"/catalogue/{quote(given.dataset, safe='')}/{what}", there)
    act = told.pop("act")
    calling.show({**told, "act": {"id": act["id"], "at": act["at"]}})
    return 0


def _status(given: argparse.Namespace) -> int:
    told = calling.called(given, "GET", "/open/catalogue")
    several = [each for each in told["supplements"] if given.dataset in (None, each["dataset"])]
    if given.dataset is None:
        ways: dict[str, str] = {}
        for each in several:  # of one dataset the oldest first: what is on its way does not hide what is published
            before = ways.get(each["dataset"], "")
            shows = before.startswith(PUBLISHED) and each["state"] != "retired"
            ways[each["dataset"]] = _beside(before, each["state"]) if shows else each["state"]
        served = {each["id"]: PUBLISHED for each in told["datasets"]}
        states = {**served, **ways}
        width = max(map(len, states), default=0)
        calling.lines([f"{name:{width}}  {states[name]}{_note(name, states, served)}" for name in sorted(states)])
        return 0
    if not several:
        raise CommandRefused(f"nobody was consulted on a dataset `{given.dataset}` here")
    lines: list[str] = []
    for each in several:
        lines.append(f"{each['dataset']} of {each['department']}: {each['state']} (definition {each['definition']})")
        for step in each["history"]:
            until = f", until the end of {step['until']}" if step.get("until") else ""
            words = f": {step['words']}" if step.get("words") else ""
            lines.append(f"  {step['at']}  {step['step']}{until}{words}")
    calling.lines(lines)
    return 0


def _beside(published: str, state: str) -> str:
    """A published dataset's state, with how far another definition of it is."""
    return f"{PUBLISHED}; another definition: {state}" if state not in (PUBLISHED, "withdrawn") else published


def _note(name: str, states: dict[str, str], served: dict[str, str]) -> str:
    published = states[name].startswith(PUBLISHED)
    if name in served and not published:
        return ", and answered by the active rule set as it was published"
    return ", but not in the active rule set" if published and name not in served else ""

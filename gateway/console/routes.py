"""All routes of the pages, wired: what `gateway.app` adds where `oauth.login` has how people sign in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from starlette.routing import Route

from gateway.config.oauth import OAuthSettings
from gateway.console.calling import Api, Application
from gateway.identity.issuers import Issuer
from gateway.manage.states import Heard
from gateway.rules.ruleset import RuleSet
from gateway.storage.port import Store
from gateway.texts.words import Words


def routes(
    settings: OAuthSettings,
    public_url: str,
    issuers: Iterable[Issuer],
    application: Callable[[], Application],
    store: Store,
    secrets: Sequence[bytes],
    now: Callable[[], float],
    rules: Callable[[], RuleSet],
    defect: Callable[[str, BaseException], None],
    bundle: Callable[[str], str],
    texts: Words,
    heard: Heard,
) -> list[Route]:
    """Every route of the pages; none where nobody can sign in.

    `application` is the whole gateway, which pages call. What they keep is sealed by the first of `secrets`, and
    opens by each.
    `rules` gives the rule set that is served, for titles; `bundle` the address of a bundled script; `texts` are those
    of the pages. `heard` is told which way to sign in does not work.
    """
    if not settings.login:
        return []
    # Imported where they are configured: authlib and Jinja2 would be a tenth of every start.
    from gateway.console import clock, home, recalls, steward
    from gateway.console.drafting import rooms as drafting
    from gateway.console.entrance import RETURN, Entrance
    from gateway.console.login import SignIn
    from gateway.console.my import rooms as my
    from gateway.console.names import Named, Names
    from gateway.console.officer import rooms as officer
    from gateway.console.rendering import Pages
    from gateway.console.sessions import Sessions
    from gateway.console.visiting import Parts
    from gateway.console.watching import rooms as watching

    parts = urlsplit(public_url)
    sessions = Sessions(lambda: store.engine, secrets, now)
    pages = Pages(
        texts,
        Names(lambda: Named.of(rules()), texts),
        parts.path.rstrip("/"),
        lambda filed, due: clock.written(rules().calendar, filed, due, now()),
        bundle,
    )
    origin = f"{parts.scheme}://{parts.netloc}"
    shared = Parts(pages, sessions, Api(application), now, origin, defect, _departments(settings, rules))
    known = {each.settings.issuer: each for each in issuers}
    back = f"{public_url}{RETURN}"
    ways = {each.name: SignIn(each, known[each.issuer], settings.audience, back, now, heard) for each in settings.login}
    return [
        *Entrance(shared, ways, secrets).routes(),
        *my.routes(shared),
        *home.routes(shared),
        *steward.routes(shared),
        *recalls.routes(shared),
        *watching.routes(shared),
        *officer.routes(shared),
        *drafting.routes(shared),
        *home.nowhere(shared),
    ]


def _departments(settings: OAuthSettings, rules: Callable[[], RuleSet]) -> Callable[[str], str]:
    """From a login to the department whose client it is, by the rule set that is served; empty where there is none."""
    logins = {each.name: (each.issuer, each.client_id) for each in settings.login}

    def department(login: str) -> str:
        entry = rules().requesters.entries.get(logins.get(login, ("", "")))
        return "" if entry is None else entry.department

    return department

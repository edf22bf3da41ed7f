"""All routes of rule sets, wired: of proposals, of officers' drafts, and of how often inquiries are refused."""

from __future__ import annotations

from collections.abc import Collection

from starlette.routing import Route

from gateway.acts.office import Office
from gateway.acts.plain import Plain
from gateway.config.settings import Settings
from gateway.drafts.refusals import Refusals
from gateway.drafts.routes import DraftRoutes
from gateway.proposals.enacting import Fits
from gateway.proposals.examiner import Examiner
from gateway.proposals.routes import routes as of_proposals


def routes(plain: Plain, office: Office, settings: Settings, registries: Collection[str], fits: Fits) -> list[Route]:
    """The routes; names in files are read by the configuration's. `fits` is `Enacting`'s."""
    examiner = Examiner(settings.oauth.aliases, registries)
    return [
        *of_proposals(plain, office, settings, examiner, fits),
        *DraftRoutes(office, examiner, settings.ledger.origin, settings.store, settings.store_key).routes(plain),
        *Refusals(office).routes(plain),
    ]

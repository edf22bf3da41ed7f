"""`/my/keeping`: favourable information that somebody keeps back."""

from __future__ import annotations

from starlette.responses import Response

from gateway.console.visiting import Visit

_OPT_OUTS = "query OptOuts { me { optOuts { dataset optedOut since } } }"
_SET = "mutation Keep($dataset: ID!, $out: Boolean!) { setOptOut(dataset: $dataset, optedOut: $out) { dataset } }"


async def keeping(visit: Visit) -> Response:
    """Each kind of record that can be kept back, and whether it is."""
    return await visit.page("my/keeping.html", "my.keeping", kinds=(await visit.ask(_OPT_OUTS)).data["me"]["optOuts"])


async def keep(visit: Visit) -> Response:
    """Keep a kind of record back, or have it shared again."""
    out = visit.field("out") == "yes"
    done = await visit.ask(_SET, dataset=visit.field("dataset"), out=out)
    return await visit.go("/my/keeping", "done.kept" if out else "done.shared", done)

"""The catalogue as a page: what is consulted on, what is published, and how it came to be. It fits a phone."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.catalogue import describe
from gateway.catalogue.model import Dataset
from gateway.web.frame import Frame
from gateway.web.opened import Open, Told, ToldStep
from gateway.web.page import escape

PAGE = Frame("The catalogue", "open/catalogue", robots="index", kind="catalogue")

_STATES = {
    "consultation": "in consultation",
    "awaits-confirmation": "consulted on; its approval waits for a second steward",
    "approved": "approved, not published yet",
    "published": "published",
    "withdrawn": "withdrawn",
    "retired": "retired",
}
_STEPS = {
    "consulted": "Consultation opened",
    "approval-asked": "Approval asked for",
    "approved": "Approved by a second steward",
    "published": "Published",
    "retired": "Retired",
}


def body(shown: Open) -> str:
    """What stands in the page; all that policies and people wrote is escaped."""
    catalogue = shown.catalogue
    pending = [each for each in shown.history.supplements if each.state in ("consultation", "awaits-confirmation")]
    parts = [
        "<h1>What authorities may share here</h1>"
        '<p class="lead">Nothing that is not in this catalogue can be asked for.</p>'
    ]
    if pending:
        parts.append('<section aria-label="Consultations"><h2>Consultations</h2>')
        parts += [_consultation(each, shown) for each in pending]
        parts.append("</section>")
    for department, title in catalogue.departments.items():
        datasets = [d for d in catalogue.published.values() if d.department == department]
        if datasets:
            parts.append(f'<section aria-label="{escape(title)}"><h2>{escape(title)}</h2>')
            parts += [_section(each, shown) for each in datasets]
            parts.append("</section>")
    others = [each for each in shown.history.supplements if each not in pending]
    others = [each for each in others if each.dataset not in catalogue.published]
    if others:
        parts.append('<section aria-label="Not in force"><h2>Not in force</h2>')
        for each in others:
            parts.append(f"<h3>{escape(each.proposed.title)} <code>{escape(each.dataset)}</code></h3>")
            parts.append(f"<p>{_department(each, shown)}: {_STATES[each.state]}.</p>{_history([each])}")
        parts.append("</section>")
    parts.append(f"<p>Version <code>{escape(catalogue.digest)}</code></p>")
    return "\n".join(parts)


def _consultation(told: Told, shown: Open) -> str:
    until = f" until the end of {told.until}" if told.until else ""
    notice = escape(told.steps[0].words)
    state = _STATES[told.state] + (until if told.state == "consultation" else "")
    return (
        f"<h3>{escape(told.proposed.title)} <code>{escape(told.dataset)}</code></h3>\n"
        f"<p>{_department(told, shown)}: {state}.</p>"
        f'<p class="note words">{notice}</p>\n<p>{_facts(told.proposed)}</p>'
        f"{_fields(told.proposed)}{_history([told])}"
    )


def _section(dataset: Dataset, shown: Open) -> str:
    own = [each for each in shown.history.supplements if each.dataset == dataset.id and each.state != "consultation"]
    return (
        f'<h3 id="{escape(dataset.id)}">{escape(dataset.title)} <code>{escape(dataset.id)}</code></h3>\n'
        f"<p>{_facts(dataset)}</p>\n{_fields(dataset)}{_history(own)}"
    )


def _facts(dataset: Dataset) -> str:
    facts = f"{dataset.information.replace('_', '-')}, {dataset.disclosure}, {dataset.nature}"
    law = "; ".join(map(describe.basis, dataset.basis))
    return escape(
        f"About: {', '.join(dataset.subjects)}; {facts}; {describe.display(dataset.display)}. Legal basis: {law}."
    )


def _fields(dataset: Dataset) -> str:
    fields = "".join(
        f"<tr><td><code>{escape(f.name)}</code></td><td>{escape(f.title)}</td><td>{escape(f.type.value)}</td></tr>"
        for f in dataset.fields.values()
    )
    return (
        '<table class="framed"><thead><tr><th scope="col">Field</th><th scope="col">Meaning</th>'
        f'<th scope="col">Type</th></tr></thead><tbody>{fields}</tbody></table>'
    )


def _history(several: Sequence[Told]) -> str:
    if not several:
        return ""
    items = "".join(_step(step) for told in several for step in told.steps)
    return f'<details><summary>How it came to be</summary><ol class="history">{items}</ol></details>'


def _step(step: ToldStep) -> str:
    term = f", for {step.days} working days, until the end of {step.until}" if step.days else ""
    outcome = f" {escape(step.outcome)}" if step.outcome else ""
    words = f'<br><span class="words">{escape(step.words)}</span>' if step.words else ""
    day = step.at.date().isoformat()
    return f'<li><time datetime="{step.at.isoformat()}">{day}</time>: {_STEPS[step.step]}{outcome}{term}.{words}</li>'


def _department(told: Told, shown: Open) -> str:
    return escape(shown.catalogue.departments.get(told.department, told.department))

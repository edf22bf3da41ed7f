"""The catalogue as a page: what is consulted on, what is published, and how it came to be. It fits a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from gateway.catalogue.model import Dataset, Display, Period
from gateway.texts.words import Words
from gateway.web.frame import Frame
from gateway.web.open.opened import AS_APPROVED, FIRST_SET, Open, Told, ToldStep
from gateway.web.page import escape

_WAITS = ("consultation", "awaits-confirmation")
_OUTCOMES: Mapping[str, str] = {FIRST_SET: "first", AS_APPROVED: "approved"}


class CataloguePage:
    """The page, in one language."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self.frame = Frame(words, "catalogue.title", "open/catalogue", robots="index", kind="catalogue")

    def body(self, shown: Open) -> str:
        """What stands in the page; all that policies and people wrote is escaped."""
        words, catalogue = self._words, shown.catalogue
        supplements = shown.history.supplements
        pending = [each for each in supplements if each.state in _WAITS]
        parts = [f'<h1>{words("catalogue.heading")}</h1>\n<p class="lead">{words("catalogue.lead")}</p>']
        if pending:
            parts += _part(words("catalogue.consultations"), [self._consultation(each, shown) for each in pending])
        for department, title in catalogue.departments.items():
            datasets = [d for d in catalogue.published.values() if d.department == department]
            if datasets:
                parts += _part(title, [self._section(each, shown) for each in datasets])
        others = [each for each in supplements if each not in pending and each.dataset not in catalogue.published]
        if others:
            parts += _part(words("catalogue.not_in_force"), [self._other(each, shown) for each in others])
        parts.append(f"<p>{words('catalogue.version', digest=catalogue.digest)}</p>")
        return "\n".join(parts)

    def _consultation(self, told: Told, shown: Open) -> str:
        return (
            f"{_heading(told.proposed)}\n<p>{self._state(told, shown)}</p>"
            f'<p class="note words">{escape(told.steps[0].words)}</p>\n<p>{self._facts(told.proposed)}</p>'
            f"{self._fields(told.proposed)}{self._history([told])}"
        )

    def _section(self, dataset: Dataset, shown: Open) -> str:
        own = [
            each for each in shown.history.supplements if each.dataset == dataset.id and each.state != "consultation"
        ]
        heading = _heading(dataset, dataset.id)
        return f"{heading}\n<p>{self._facts(dataset)}</p>\n{self._fields(dataset)}{self._history(own)}"

    def _other(self, told: Told, shown: Open) -> str:
        return f"{_heading(told.proposed)}\n<p>{self._state(told, shown)}</p>{self._history([told])}"

    def _state(self, told: Told, shown: Open) -> str:
        words = self._words
        until = words.day(told.until) if told.state == "consultation" and told.until else ""
        state = words("catalogue.consulted_until", day=until) if until else words(f"catalogue.states.{told.state}")
        department = shown.catalogue.departments.get(told.department, told.proposed.department_title)
        return words("catalogue.stands", department=department, state=state)

    def _facts(self, dataset: Dataset) -> str:
        words = self._words
        subjects = [words(f"catalogue.subjects.{each}") for each in dataset.subjects]
        kinds = [
            words(f"catalogue.{name}.{value}")
            for name, value in (
                ("information", dataset.information), ("disclosure", dataset.disclosure), ("nature", dataset.nature),
            )
        ]  # fmt: skip
        return words(
            "catalogue.facts",
            subjects=words.several(subjects),
            kinds=Markup(", ").join(kinds),
            display=self._display(dataset.display),
            law=Markup("; ").join([words.law(each.law, each.article) for each in dataset.basis]),
        )

    def _display(self, display: Display | None) -> Markup:
        words = self._words
        if display is None or not (display.min or display.max):
            return words("catalogue.shown.always")
        bounds = [
            words(f"catalogue.shown.{name}", period=self._period(bound))
            for name, bound in (("least", display.min), ("most", display.max))
            if bound
        ]
        name = "by_law" if display.law else "from"
        return words(f"catalogue.shown.{name}", bounds=words.several(bounds), law=display.law or "")

    def _period(self, period: Period) -> Markup:
        years, months = divmod(period.months, 12)
        parts = (("years", years), ("months", months), ("days", period.days))
        return self._words.several([self._words.number(f"catalogue.{name}", count) for name, count in parts if count])

    def _fields(self, dataset: Dataset) -> str:
        words = self._words
        fields = "".join(
            f"<tr><td><code>{escape(f.name)}</code></td><td>{escape(f.title)}</td>"
            f"<td>{words(f'catalogue.types.{f.type.value}')}</td></tr>"
            for f in dataset.fields.values()
        )
        heads = "".join(
            f'<th scope="col">{words(f"catalogue.columns.{name}")}</th>' for name in ("field", "meaning", "type")
        )
        return f'<table class="framed"><thead><tr>{heads}</tr></thead><tbody>{fields}</tbody></table>'

    def _history(self, several: Sequence[Told]) -> str:
        if not several:
            return ""
        items = "".join(self._step(step) for told in several for step in told.steps)
        summary = self._words("catalogue.history")
        return f'<details><summary>{summary}</summary><ol class="history">{items}</ol></details>'

    def _step(self, step: ToldStep) -> str:
        words = self._words
        name = "outcome" if step.outcome else "term" if step.days else "step"
        until = words.day(step.until) if step.until else ""
        done = words(f"catalogue.steps.{step.step}")
        said = words(
            f"catalogue.history_{name}", step=done, days=step.days, until=until, outcome=self._outcome(step.outcome)
        )
        quoted = f'<br><span class="words">{escape(step.words)}</span>' if step.words else ""
        at = words.day(words.here(step.at).date())
        return f'<li><time datetime="{step.at.isoformat()}">{at}</time>: {said}{quoted}</li>'

    def _outcome(self, outcome: str) -> Markup:
        return self._words.get(f"catalogue.outcomes.{_OUTCOMES.get(outcome)}", outcome)


def _part(title: str, sections: Sequence[str]) -> list[str]:
    name = escape(title)
    return [f'<section aria-label="{name}"><h2>{name}</h2>', *sections, "</section>"]


def _heading(dataset: Dataset, anchor: str = "") -> str:
    at = f' id="{escape(anchor)}"' if anchor else ""
    return f"<h3{at}>{escape(dataset.title)} <code>{escape(dataset.id)}</code></h3>"

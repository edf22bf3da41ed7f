"""What an examination tells of a candidate: all that differs from its base, and how much there was too much."""

from __future__ import annotations

from gateway.activation.archive import pack, unpacked
from gateway.catalogue.diff import Effect
from gateway.proposals.examination import MOST_TOLD, Asked, Examined
from gateway.proposals.examined import told_of
from gateway.rules.compare.report import Comparison, Side
from gateway.rules.compare.sentences import Told
from tests.proposals.room import CLOSED, OTHERS, Edit, archive, examine, rules_of


def examined(edit: Edit) -> Examined:
    found: Examined = examine(Asked(archive(edit), archive(), {}, None))
    assert found.problems == ()
    return found


def test_all_that_differs_is_told_and_who_approves_comes_first_but_for_what_widens() -> None:
    watch: Edit = {"watch.yaml": ("changes: 3 ", "changes: 9 ")}
    worded: Edit = {"rules/consent-missing.cedar": ('@advice("', '@advice("Please: ')}
    found = examined({**CLOSED, **OTHERS, **watch, **worded})
    told = list(found.changes)
    assert [each for each in told if each.startswith("Also wider: `watch.")]
    (who,) = [each for each in told if "officers" in each and "p.fontaine; until now p.ilves" in each]
    (term,) = [each for each in told if "the term of objection is 5 working days; until now 7" in each]
    assert [each for each in told if "Rule `consent-missing` decides as before; its advice changed" in each]
    wider = [at for at, each in enumerate(told) if each.startswith(("Opens", "Also wider"))]
    assert max(wider) < told.index(who) < told.index(term)
    assert found.left_out == 0


def test_what_is_too_much_is_counted_and_leaves_out_nobody_who_approves() -> None:
    rules = rules_of(archive())
    wider = [Told(Effect.WIDENS, "grant", f"Grant {number}.") for number in range(MOST_TOLD + 50)]
    beside = [*wider, Told(Effect.DIFFERS, "officers", "Another officer."), Told(Effect.DIFFERS, "rule", "A rule.")]
    side = Side("", rules)
    told, left_out = told_of(Comparison(side, side, [], beside, [], []))
    assert (len(told), told[-1].line, left_out) == (MOST_TOLD, "Differs too: Another officer.", 52)


def test_a_weakened_base_rule_is_a_problem() -> None:
    weaker: Edit = {"rules/consent-missing.cedar": ("!context.consent", "!(context.consent || context.break_glass)")}
    (problem,) = examine(Asked(archive(weaker), archive(), {}, None)).problems
    assert problem.startswith("rules/consent-missing.cedar:7:1: @id consent-missing")
    assert "no longer forbids what it must" in problem


def test_a_set_that_nobody_could_change_any_more_is_a_problem() -> None:
    """Bootstrap takes the first set of a store once, so there would be no way back."""
    nobody = pack({name: each for name, each in unpacked(archive()).items() if name != "officers.yaml"})
    found = examine(Asked(nobody, archive(), {}, None))
    assert (found.digest, len(found.problems)) == ("", 1)
    assert found.problems[0].startswith("officers.yaml: names nobody: once this is active nobody could approve")
    assert examine(Asked(nobody, nobody, {}, None)).problems == ()

"""Cedar, as its reference describes it: a parser and an evaluator of the part that rules here may use.

https://docs.cedarpolicy.com/policies/syntax-grammar.html and .../syntax-operators.html; of decisions
https://docs.cedarpolicy.com/auth/authorization.html: what no permit allows is denied, a forbid wins, and a policy whose
evaluation fails is not satisfied, and told among the errors.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

TOKEN = re.compile(
    r"""\s+|//[^\n]*|(?P<token>"(?:[^"\\]|\\.)*"|\d+|[A-Za-z_]\w*|::|==|!=|<=|>=|&&|\|\||[-+*!<>()\[\]{}.,;@=])""",
    re.VERBOSE,
)


class Entity(NamedTuple):
    """An entity's type and id."""

    type: str
    id: str


class Fails(Exception):
    """An evaluation failed: a type that does not fit, an attribute that there is not, a number too large."""


class Request(NamedTuple):
    """What is asked; `attributes` of entities, and the `parents` that they are in."""

    variables: Mapping[str, Any]
    attributes: Mapping[Entity, Mapping[str, Any]]
    parents: Mapping[Entity, frozenset[Entity]]


Expression = Callable[[Request], Any]


class Policy(NamedTuple):
    """One policy: what it says of itself, its effect, and what has to hold, in order."""

    annotations: Mapping[str, str]
    effect: str
    conditions: tuple[Expression, ...]


class Answer(NamedTuple):
    """Whether it is allowed, by which policies, and which failed."""

    allowed: bool
    determining: frozenset[str]
    failed: frozenset[str]


def authorize(policies: Mapping[str, Policy], request: Request) -> Answer:
    satisfied: dict[str, set[str]] = {"permit": set(), "forbid": set()}
    failed = set()
    for name, policy in policies.items():
        try:
            if all(_boolean(condition(request)) for condition in policy.conditions):
                satisfied[policy.effect].add(name)
        except Fails:
            failed.add(name)
    allowed = bool(satisfied["permit"]) and not satisfied["forbid"]
    return Answer(allowed, frozenset(satisfied["permit" if allowed else "forbid"]), frozenset(failed))


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Fails
    return value


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _within(one: Any, other: Any, request: Request) -> bool:
    several = other if isinstance(other, frozenset) else [other]
    if not isinstance(one, Entity) or not all(isinstance(each, Entity) for each in several):
        raise Fails
    return any(one == each or each in request.parents.get(one, frozenset()) for each in several)


def _number(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise Fails
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = []
        at = 0
        while at < len(text):
            found = TOKEN.match(text, at)
            assert found, f"no token: {text[at : at + 20]!r}"
            if found["token"]:
                self.tokens.append(found["token"])
            at = found.end()
        self.at = 0

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *tokens: str) -> bool:
        if self.tokens[self.at : self.at + len(tokens)] == list(tokens):
            self.at += len(tokens)
            return True
        return False

    def need(self, token: str) -> None:
        assert self.take(token), f"`{token}` is missing before {self.tokens[self.at : self.at + 5]}"

    def policy(self) -> Policy:
        annotations = {}
        while self.take("@"):
            name = self.next()
            self.need("(")
            annotations[name] = _text(self.next())
            self.need(")")
        effect = self.next()
        self.need("(")
        conditions = [condition for name in ("principal", "action", "resource") for condition in self.scope(name)]
        self.need(")")
        while self.peek() in ("when", "unless"):
            turned = self.next() == "unless"
            self.need("{")
            body = self.expression()
            self.need("}")
            conditions.append(_not(body) if turned else body)
        self.need(";")
        assert not self.peek()
        return Policy(annotations, effect, tuple(conditions))

    def scope(self, name: str) -> list[Expression]:
        self.need(name)
        found: list[Expression] = []
        variable = _variable(name)
        if self.take("is"):
            found.append(_is(variable, self.next()))
        if self.take("=="):
            found.append(_compared(variable, self.primary(), _equal))
        elif self.take("in"):
            found.append(_in(variable, self.primary()))
        self.take(",")
        return found

    def expression(self) -> Expression:
        if self.take("if"):
            test = self.expression()
            self.need("then")
            yes = self.expression()
            self.need("else")
            no = self.expression()
            return lambda request: yes(request) if _boolean(test(request)) else no(request)
        return self.joined("||", lambda: self.joined("&&", self.relation))

    def joined(self, token: str, part: Callable[[], Expression]) -> Expression:
        left = part()
        while self.take(token):
            left = (_or if token == "||" else _and)(left, part())
        return left

    def relation(self) -> Expression:
        left = self.sum()
        compared = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
        token = self.peek()
        if self.take("=="):
            return _compared(left, self.sum(), _equal)
        if self.take("!="):
            return _compared(left, self.sum(), lambda one, other: not _equal(one, other))
        if token in compared:
            self.next()
            return _arithmetic(left, self.sum(), compared[token])
        if self.take("in"):
            return _in(left, self.sum())
        if self.take("has"):
            return _has(left, self.next().strip('"'))
        if self.take("is"):
            kind = _is(left, self.next())
            return _and(kind, _in(left, self.sum())) if self.take("in") else kind
        return left

    def sum(self) -> Expression:
        left = self.product()
        while self.peek() in ("+", "-"):
            function = operator.add if self.next() == "+" else operator.sub
            left = _arithmetic(left, self.product(), lambda a, b, f=function: _number(f(a, b)))
        return left

    def product(self) -> Expression:
        left = self.unary()
        while self.take("*"):
            left = _arithmetic(left, self.unary(), lambda a, b: _number(a * b))
        return left

    def unary(self) -> Expression:
        if self.take("!"):
            return _not(self.unary())
        if self.take("-"):
            return _arithmetic(lambda request: 0, self.unary(), lambda a, b: _number(a - b))
        return self.member()

    def member(self) -> Expression:
        left = self.primary()
        while self.take("."):
            name = self.next()
            left = _method(left, name, self.several(")")) if self.take("(") else _attribute(left, name)
        return left

    def several(self, end: str) -> list[Expression]:
        found = []
        while not self.take(end):
            found.append(self.expression())
            self.take(",")
        return found

    def primary(self) -> Expression:
        token = self.next()
        if token == "(":
            inner = self.expression()
            self.need(")")
            return inner
        if token == "[":
            elements = self.several("]")
            return lambda request: frozenset(element(request) for element in elements)
        if token in ("true", "false"):
            return lambda request: token == "true"
        if token.isdigit():
            return lambda request: _number(int(token))
        if token.startswith('"'):
            return lambda request: _text(token)
        if self.take("::"):
            entity = Entity(token, _text(self.next()))
            return lambda request: entity
        return _variable(token)


def parse(text: str) -> Policy:
    """The one policy that a text writes."""
    return _Parser(text).policy()


def _text(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])


def _variable(name: str) -> Expression:
    return lambda request: request.variables[name]


def _not(inner: Expression) -> Expression:
    return lambda request: not _boolean(inner(request))


def _and(left: Expression, right: Expression) -> Expression:
    return lambda request: _boolean(left(request)) and _boolean(right(request))


def _or(left: Expression, right: Expression) -> Expression:
    return lambda request: _boolean(left(request)) or _boolean(right(request))


def _compared(left: Expression, right: Expression, function: Callable[[Any, Any], bool]) -> Expression:
    return lambda request: function(left(request), right(request))


def _in(left: Expression, right: Expression) -> Expression:
    return lambda request: _within(left(request), right(request), request)


def _arithmetic(left: Expression, right: Expression, function: Callable[[int, int], Any]) -> Expression:
    def evaluate(request: Request) -> Any:
        one, other = left(request), right(request)
        if type(one) is not int or type(other) is not int:
            raise Fails
        return function(one, other)

    return evaluate


def _is(left: Expression, kind: str) -> Expression:
    def evaluate(request: Request) -> bool:
        found = left(request)
        if not isinstance(found, Entity):
            raise Fails
        return found.type == kind

    return evaluate


def _of(value: Any, request: Request) -> Mapping[str, Any]:
    if isinstance(value, Entity):
        return request.attributes.get(value, {})
    if not isinstance(value, Mapping):
        raise Fails
    return value


def _has(left: Expression, name: str) -> Expression:
    return lambda request: name in _of(left(request), request)


def _attribute(left: Expression, name: str) -> Expression:
    def evaluate(request: Request) -> Any:
        try:
            return _of(left(request), request)[name]
        except KeyError:
            raise Fails from None

    return evaluate


def _method(left: Expression, name: str, arguments: Sequence[Expression]) -> Expression:
    def evaluate(request: Request) -> bool:
        held, given = left(request), [argument(request) for argument in arguments]
        if not isinstance(held, frozenset) or (name != "contains" and not all(isinstance(g, frozenset) for g in given)):
            raise Fails
        answers = {
            "contains": lambda: any(_equal(each, given[0]) for each in held),
            "containsAll": lambda: given[0] <= held,
            "containsAny": lambda: bool(given[0] & held),
            "isEmpty": lambda: not held,
        }
        return answers[name]()

    return evaluate

"""The types, queries and mutations of acts are the contract's, to the letter; all of them say what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, execute_sync, parse, print_ast, print_schema, validate
from graphql.language import ObjectTypeDefinitionNode, TypeDefinitionNode

from gateway.catalogue.checks import RESERVED_TYPES
from gateway.catalogue.graphql.schema import build_schema, core
from gateway.catalogue.load import load
from tests.catalogue.policies import catalogue_of, dataset

CONTRACT = """
type Me {
  scheme: IdentifierScheme!  value: String!
  datasets: [HeldDataset!]!
  accessHistory(after: String, first: Int = 50, newest: Boolean, id: ID): AccessHistory!
  consents: [Consent!]!   consentRequests: [ConsentRequest!]!   matters: [Matter!]!   optOuts: [OptOut!]!
}
type HeldDataset { dataset: Dataset!  available: Boolean!  records: [HeldRecord!] }
type HeldRecord { record: RecordMeta!  values: [HeldValue!]!  withheldFromOthers: [String!]!  changes: [Change!]!  restorableFrom: Date }
type HeldValue { field: String!  title: String!  value: String }
type AccessHistory { items: [Access!]!  next: String  note: String!  completeUntil: DateTime! }
type Access { id: ID!  at: DateTime!  what: AccessKind!  department: String!  purpose: String  title: String  basis: [Basis!]!  forCase: Boolean!
              fields: [String!]!  records: [String!]!  outcome: String!  told: [String!]! }
type Consent { id: ID!  requester: RequesterName!  title: String!  purpose: String!  fields: [ConsentFields!]!  until: Date!  given: DateTime!  revoked: DateTime }
type ConsentFields { dataset: String!  fields: [String!]! }
type RequesterName { issuer: String!  client: String!  department: String! }
enum AccessKind { INQUIRY REFUSAL VIEW CHANGE RECALL OWN }
type ConsentRequest { id: ID!  requester: RequesterName!  title: String!  purpose: String!  fields: [ConsentFields!]!  until: Date!  words: String!  state: MatterState! }
type OptOut { dataset: String!  optedOut: Boolean!  since: DateTime }
type Matter { id: ID!  kind: MatterKind!  state: MatterState!  scheme: String!  value: String!  dataset: String  record: String  version: String  access: ID  filed: DateTime!  filedBy: String
              papers: [Paper!]!  due: Date!  provisional: Boolean!  overdue: Boolean!
              reason: String!  outcome: Outcome  decided: DateTime  because: String  remedy: String  correctBy: Date  look: Access }
type Paper { issuer: String!  number: String!  date: Date }
enum MatterKind { OBJECTION RESTORATION }   enum Outcome { UPHELD PARTLY REFUSED }
enum MatterState { OPEN AWAITS_CONFIRMATION DECIDED WITHDRAWN GRANTED DECLINED }
type Change { id: ID!  state: MatterState!  event: ChangeEvent!  scheme: String!  value: String!  dataset: String!  record: String!  version: String  newVersion: String  at: DateTime!  reason: String!  because: String }
enum ChangeEvent { CORRECTED WITHDRAWN RESTORED EXPIRED REINSTATED }   enum ReportedEvent { CORRECTED WITHDRAWN REINSTATED }
type Suspension { id: ID!  requester: RequesterName!  purpose: String!  dataset: String!  since: DateTime!  recall: ID!
                  ended: DateTime  state: MatterState!  because: String }
type SuspensionPage { items: [Suspension!]!  next: String }   type RecallPage { items: [Recall!]!  next: String }
type Recall { id: ID!  sequence: Int!  at: DateTime!  inquiry: ID!  scheme: String!  value: String!
              records: [RecalledRecord!]!  action: RecallAction!  due: DateTime!  state: RecallState!
              outcome: AcknowledgementOutcome }
type RecalledRecord { dataset: String!  record: String!  version: String!  fields: [String!]! }
enum RecallAction { DELETE UPDATE MARK_DISPUTED CLEAR_DISPUTED }   enum RecallState { OPEN ACKNOWLEDGED OVERDUE }
enum AcknowledgementOutcome { APPLIED PASSED_ON REFUSED }
union Confirmed = Change | Matter | Suspension   input RequesterInput { issuer: String!  client: String! }
input RecordInput { dataset: ID!  record: ID!  version: String }     input PaperInput { issuer: String!  number: String!  date: Date }
input ConsentFieldsInput { dataset: ID!  fields: [String!]! }
input OnBehalfInput { subject: IdentifierInput!  proof: String! }
type MatterPage { items: [Matter!]!  next: String }   type ChangePage { items: [Change!]!  next: String }
type ConsentRequestPage { items: [ConsentRequest!]!  next: String }
type FindingPage { items: [Finding!]!  next: String }
type Finding { id: ID!  detector: String!  words: String!  purpose: String!  article: String!  inquiries: Int!  found: DateTime!  due: Date  department: String!  state: MatterState!  verdict: String  decided: DateTime  by: String  because: String }
type Opened { finding: Finding!  inquiries: [Access!]! }   enum Verdict { PROPER IMPROPER UNCLEAR }
type Query {
  me: Me!
  matters(state: MatterState, after: String, first: Int = 20): MatterPage!
  changes(state: MatterState, after: String, first: Int = 20): ChangePage!
  consentRequests(after: String, first: Int = 20): ConsentRequestPage!
  suspensions(after: String, first: Int = 20): SuspensionPage!
  findings(state: MatterState, detector: String, after: String, first: Int = 20): FindingPage!
  recalls(after: String, first: Int = 50): RecallPage!
}
type Mutation {
  grantConsent(requester: RequesterInput!, purpose: Purpose!, fields: [ConsentFieldsInput!]!, until: Date!, request: ID, onBehalf: OnBehalfInput, reference: String): Consent!
  revokeConsent(id: ID!, onBehalf: OnBehalfInput, reference: String): Consent!
  declineConsentRequest(id: ID!, onBehalf: OnBehalfInput, reference: String): ConsentRequest!
  fileObjection(record: RecordInput, access: ID, dataset: ID, reason: String!, papers: [PaperInput!], onBehalf: OnBehalfInput, reference: String): Matter!
  applyForRestoration(record: RecordInput!, reason: String!, papers: [PaperInput!], onBehalf: OnBehalfInput, reference: String): Matter!
  withdrawMatter(id: ID!, onBehalf: OnBehalfInput, reference: String): Matter!
  setOptOut(dataset: ID!, optedOut: Boolean!, onBehalf: OnBehalfInput, reference: String): OptOut!
  requestConsent(subject: IdentifierInput!, purpose: Purpose!, fields: [ConsentFieldsInput!]!, until: Date!, words: String!, reference: String): ConsentRequest!
  reportChange(subject: IdentifierInput!, record: RecordInput!, event: ReportedEvent!, newVersion: String, reason: String!, reference: String): Change!
  decideObjection(id: ID!, outcome: Outcome!, reason: String!, reference: String): Matter!
  decideRestoration(id: ID!, outcome: Outcome!, reason: String!, reference: String): Matter!
  confirm(id: ID!, reference: String): Confirmed!
  decline(id: ID!, reason: String!, reference: String): Confirmed!
  acknowledgeRecall(id: ID!, outcome: AcknowledgementOutcome!, reason: String, passedOnTo: [String!], reference: String): Recall!
  acknowledgeRecalls(ids: [ID!]!, outcome: AcknowledgementOutcome!, reason: String, reference: String): [Recall!]!
  attestDeletion(until: Date!, reference: String): Boolean!
  endSuspension(id: ID!, reason: String!, reference: String): Suspension!
  openFinding(id: ID!, reason: String!, reference: String): Opened!
  endReview(id: ID!, verdict: Verdict!, reason: String!, reference: String): Finding!
}
"""  # noqa: E501 - so that it can be held against the contract, line by line
DEFINITIONS = {d.name.value: d for d in parse(CONTRACT).definitions if isinstance(d, TypeDefinitionNode)}


@pytest.fixture(scope="module")
def graphql() -> GraphQLSchema:
    return core(build_schema(load(Path("policies"), []), {"TENDER_QUALIFICATION": "Qualification"}))


def printed(graphql: GraphQLSchema) -> dict[str, Any]:
    """The schema's definitions, read back from its own text."""
    return {d.name.value: d for d in parse(print_schema(graphql)).definitions if isinstance(d, TypeDefinitionNode)}


def said(node: Any) -> dict[str, Any]:
    """The parts of a definition by name, each as its text without descriptions."""
    found = {}
    for part in (*(getattr(node, "fields", None) or ()), *(getattr(node, "values", None) or ())):
        arguments = {a.name.value: (print_ast(a.type), a.default_value and print_ast(a.default_value))
                     for a in getattr(part, "arguments", None) or ()}  # fmt: skip
        found[part.name.value] = (print_ast(part.type) if hasattr(part, "type") else "", arguments)
    for kind in getattr(node, "types", None) or ():
        found[kind.name.value] = ("", {})
    return found


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_type_is_the_contracts(graphql: GraphQLSchema, name: str) -> None:
    made, wanted = printed(graphql)[name], DEFINITIONS[name]
    assert type(made) is type(wanted)
    has = said(made)
    if name == "Query":
        has = {field: has[field] for field in said(wanted)}
    assert has == said(wanted)


def test_each_of_them_says_what_it_is(graphql: GraphQLSchema) -> None:
    for name, node in printed(graphql).items():
        if name not in DEFINITIONS:
            continue
        assert node.description, name
        for part in (*(getattr(node, "fields", None) or ()), *(getattr(node, "values", None) or ())):
            if name != "Query" or part.name.value in said(DEFINITIONS[name]):
                assert part.description, (name, part.name.value)
                assert all(each.description for each in getattr(part, "arguments", None) or ()), part.name.value


def test_no_dataset_takes_the_name_of_a_type(tmp_path: Path) -> None:
    made = core(build_schema(catalogue_of(tmp_path, {"shown": dataset()}), {"A": "a"}))
    own = {name.lower() for name in made.type_map if "__" not in name and name[0] != "_"} - {"shown"}
    assert own <= RESERVED_TYPES
    later = "recall recallpage recalledrecord recallaction recallstate acknowledgementoutcome suspension " \
        "suspensionpage finding findingpage opened verdict"  # fmt: skip
    assert set(later.split()) <= RESERVED_TYPES


def test_what_two_persons_did_is_told_apart_by_its_typename(graphql: GraphQLSchema) -> None:
    document = parse(
        'mutation { confirm(id: "1") { __typename ... on Change { event state } ... on Matter { kind outcome } } }'
    )
    assert validate(graphql, document) == []
    value = {"__typename": "Matter", "kind": "RESTORATION", "outcome": "UPHELD"}
    answer = execute_sync(graphql, document, root_value={"confirm": value})
    assert answer.errors is None
    assert answer.data == {"confirm": value}


def test_a_definition_that_differs_is_found(graphql: GraphQLSchema) -> None:
    wrong = parse("type OptOut { dataset: String!  optedOut: Boolean  since: DateTime }").definitions[0]
    assert isinstance(wrong, ObjectTypeDefinitionNode)
    assert said(printed(graphql)["OptOut"]) != said(wrong)
    default = parse("type Query { matters(state: MatterState, after: String, first: Int = 50): MatterPage! }")
    assert said(printed(graphql)["Query"])["matters"] != said(default.definitions[0])["matters"]

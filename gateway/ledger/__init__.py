"""What happened, provably: an append-only log of salted commitments in an RFC 9162 Merkle tree.

merkle      the tree and its proofs                               pure
leaf        32 bytes that commit to two salted parts              pure
note        signed notes and checkpoints (C2SP)                   pure
proof       receipts as C2SP tlog-proof text                      pure
entries     what an entry says: typed, versioned, canonical JSON  pure
seal        payloads beside the leaf, encrypted by a destroyable key
keys        the signing key and its public verifier keys
statements  its SQL, compiled once
shard       one process's tree and its place in the store
ledger      append: group commit, bounded, durable before it answers
read        entries back out of the store, and receipts made again
tiles       C2SP tlog-tiles over HTTP
receipt     a receipt, and an answer's data, checked offline      pure
verify      a store checked from the bytes up
tilelog     a log as others see it: tlog-tiles over HTTP, or a copy of them
remembered  what a follower saw last
published   from `signed` to `published`: a receipt against what everybody can see
follow      a published log checked from its leaves up
presented   receipts as files
sheet       a receipt as a page that a court can file
selection   entries chosen from a store, for whoever may look
evidence    an evidence package, written; `summary` is its page
package     an evidence package, checked
tabular     entries as CSV
fhir        entries as FHIR AuditEvent
commands    `dutybound ledger ...` and `dutybound keys ...`
"""

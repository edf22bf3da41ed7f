"""The tree against RFC 9162's definitions, written out naively here, and Certificate Transparency's known roots."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.proof.merkle import (
    EMPTY_ROOT,
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    subtree,
    verify_consistency,
    verify_inclusion,
)

CT_LEAVES = [bytes.fromhex(h) for h in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive_root(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(naive_root(hashes[:split]), naive_root(hashes[split:]))


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % index) for index in range(count)]


def nodes_of(hashes: list[bytes]):
    return lambda level, position: naive_root(hashes[position << level : position + 1 << level])


@pytest.mark.parametrize("size", range(1, 9))
def test_the_known_roots_of_certificate_transparency(size: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in CT_LEAVES[:size]]
    assert Tree().grow(hashes).tree.root.hex() == CT_ROOTS[size - 1]


def test_the_empty_tree() -> None:
    assert Tree().root == EMPTY_ROOT == hashlib.sha256(b"").digest()


@given(st.lists(st.just(1) | st.integers(1, 40), max_size=8))
def test_growing_in_groups_gives_the_defined_root_and_every_inclusion_path(groups: list[int]) -> None:
    hashes, tree = leaves(sum(groups)), Tree()
    for count in groups:
        before = tree.size
        growth = tree.grow(hashes[before : before + count])
        paths = growth.fold((), lambda above, sibling: (sibling, *above))
        tree = growth.tree
        known = hashes[: tree.size]
        assert tree.root == naive_root(known)
        assert len(paths) == count
        for index, path in enumerate(paths, before):
            assert list(path) == inclusion_proof(nodes_of(known), index, tree.size)
            assert verify_inclusion(hashes[index], index, tree.size, path, tree.root)


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 7))
def test_growth_names_exactly_the_nodes_that_became_complete(old: int, more: int, level: int) -> None:
    hashes = leaves(old + more)
    growth = Tree().grow(hashes[:old]).tree.grow(hashes[old:])
    expected = [(position, nodes_of(hashes)(level, position)) for position in range(old >> level, old + more >> level)]
    assert growth.complete(level) == expected


@given(st.data())
def test_a_wrong_inclusion_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 100))
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    path, root = inclusion_proof(nodes_of(hashes), index, size), naive_root(hashes)
    assert verify_inclusion(hashes[index], index, size, path, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index))
    assert not verify_inclusion(hashes[index], other, size, path, root)
    assert not verify_inclusion(hashes[other], index, size, path, root)
    assert not verify_inclusion(hashes[index], index, size, path[:-1], root)
    assert not verify_inclusion(hashes[index], index, size, [*path, path[0]], root)
    at = data.draw(st.integers(0, len(path) - 1))
    assert not verify_inclusion(hashes[index], index, size, [*path[:at], bytes(32), *path[at + 1 :]], root)
    assert not verify_inclusion(hashes[index], size, size, path, root)


@given(st.integers(0, 130), st.integers(0, 130))
def test_consistency_proofs_verify_and_forks_do_not(one: int, other: int) -> None:
    old, new = sorted((one, other))
    hashes = leaves(new)
    path = consistency_proof(nodes_of(hashes), old, new)
    old_root, new_root = naive_root(hashes[:old]), naive_root(hashes)
    assert verify_consistency(old, old_root, new, new_root, path)
    fork = naive_root([leaf_hash(b"another"), *hashes[1:old]])
    assert old == 0 or not verify_consistency(old, fork, new, new_root, path)
    assert old == 0 or not verify_consistency(old, old_root, new, bytes(32), path)
    assert not verify_consistency(old, old_root, new, new_root, [*path, bytes(32)])
    assert not verify_consistency(new + 1, old_root, new, new_root, path)


def test_a_subtree_that_is_not_complete_is_put_together() -> None:
    hashes = leaves(13)
    assert subtree(nodes_of(hashes), 8, 13) == naive_root(hashes[8:])

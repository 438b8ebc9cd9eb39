"""Tree hashing, proofs and tree heads against the definitions of RFC 9162, written out naively."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import assume
from hypothesis import given as forall
from hypothesis import strategies as st

from application.transparency import (
    EMPTY_ROOT,
    CompactRange,
    MerkleTree,
    NotATreeHead,
    SignedTreeHead,
    event_leaf,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

SIZES = st.integers(1, 200)


def leaves_of(count: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(count)]


def split(count: int) -> int:
    left = 1
    while left * 2 < count:
        left *= 2
    return left


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of section 2.1.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(first: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.4.1."""
    if first == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = split(len(leaves))
    if first <= k:
        return [*naive_subproof(first, leaves[:k], whole=whole), naive_root(leaves[k:])]
    return [*naive_subproof(first - k, leaves[k:], whole=False), naive_root(leaves[:k])]


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@forall(st.integers(0, 300), st.integers(0, 300))
def test_a_tree_grown_leaf_by_leaf_has_the_root_of_the_whole(size: int, rest_at: int) -> None:
    leaves = leaves_of(size)
    grown = CompactRange()
    for number, leaf in enumerate(leaves):
        if number == rest_at:
            grown = CompactRange(grown.size, grown.peaks)
        grown.append(leaf)
    assert grown.root() == naive_root(leaves) == MerkleTree(leaves).root()
    assert grown.size == size
    assert len(grown.peaks) == size.bit_count()


def test_known_answers_of_the_certificate_transparency_tests() -> None:
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
               "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
    grown = CompactRange()
    roots = []
    for entry in entries:
        grown.append(leaf_hash(bytes.fromhex(entry)))
        roots.append(grown.root().hex())
    assert roots[0] == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert roots[1] == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    assert roots[7] == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@forall(SIZES, st.data())
def test_an_inclusion_proof_is_the_one_of_the_definition_and_verifies(
    size: int, data: st.DataObject
) -> None:
    leaves = leaves_of(200)
    index = data.draw(st.integers(0, size - 1))
    proof = MerkleTree(leaves).inclusion(index, size)
    root = naive_root(leaves[:size])
    assert proof == naive_path(index, leaves[:size])
    assert verify_inclusion(leaves[index], index, size, proof, root)


@forall(st.integers(2, 200), st.data())
def test_an_inclusion_proof_holds_for_nothing_else(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    tree = MerkleTree(leaves)
    proof, root = tree.inclusion(index), tree.root()
    bit = data.draw(st.integers(0, 255))
    part = data.draw(st.integers(0, len(proof) - 1))
    other = data.draw(st.integers(0, size - 1))
    assume(other != index)
    damaged = [*proof[:part], flipped(proof[part], bit), *proof[part + 1 :]]
    assert not verify_inclusion(leaves[index], index, size, damaged, root)
    assert not verify_inclusion(flipped(leaves[index], bit), index, size, proof, root)
    assert not verify_inclusion(leaves[index], index, size, proof, flipped(root, bit))
    assert not verify_inclusion(leaves[index], other, size, proof, root)
    assert not verify_inclusion(leaves[other], index, size, proof, root)
    assert not verify_inclusion(leaves[index], index, size, proof[:-1], root)
    assert not verify_inclusion(leaves[index], index, size, [*proof, proof[0]], root)
    assert not verify_inclusion(leaves[index], size, size, proof, root)


@forall(SIZES, st.data())
def test_a_consistency_proof_is_the_one_of_the_definition_and_verifies(
    second: int, data: st.DataObject
) -> None:
    leaves = leaves_of(200)
    first = data.draw(st.integers(1, second))
    proof = MerkleTree(leaves).consistency(first, second)
    assert proof == naive_subproof(first, leaves[:second], whole=True)
    roots = naive_root(leaves[:first]), naive_root(leaves[:second])
    assert verify_consistency(first, second, *roots, proof)


@forall(st.integers(2, 200), st.data())
def test_a_consistency_proof_holds_for_no_other_history(second: int, data: st.DataObject) -> None:
    leaves = leaves_of(second)
    first = data.draw(st.integers(1, second - 1))
    tree = MerkleTree(leaves)
    proof, old, new = tree.consistency(first), tree.root(first), tree.root()
    bit = data.draw(st.integers(0, 255))
    part = data.draw(st.integers(0, len(proof) - 1))
    damaged = [*proof[:part], flipped(proof[part], bit), *proof[part + 1 :]]
    assert not verify_consistency(first, second, old, new, damaged)
    assert not verify_consistency(first, second, flipped(old, bit), new, proof)
    assert not verify_consistency(first, second, old, flipped(new, bit), proof)
    assert not verify_consistency(first, second, old, new, proof[:-1])
    assert not verify_consistency(first, second, old, new, [*proof, proof[0]])
    changed = data.draw(st.integers(0, first - 1))
    rewritten = MerkleTree([*leaves[:changed], leaf_hash(b"other"), *leaves[changed + 1 :]])
    assert not verify_consistency(
        first, second, old, rewritten.root(), rewritten.consistency(first)
    )


def test_equal_sizes_are_consistent_only_with_the_same_root() -> None:
    root = MerkleTree(leaves_of(5)).root()
    assert verify_consistency(5, 5, root, root, [])
    assert not verify_consistency(5, 5, root, EMPTY_ROOT, [])
    assert not verify_consistency(5, 5, root, root, [root])
    assert not verify_consistency(0, 5, EMPTY_ROOT, root, [])
    assert not verify_consistency(3, 5, root, root, [])


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (3, 6), (-1, 2)])
def test_a_tree_proves_nothing_about_leaves_that_it_lacks(first: int, second: int) -> None:
    tree = MerkleTree(leaves_of(5))
    with pytest.raises(ValueError, match="leaves"):
        tree.consistency(first, second)
    with pytest.raises(ValueError, match="leaf"):
        tree.inclusion(5)
    with pytest.raises(ValueError, match="leaves"):
        tree.root(6)


@pytest.mark.parametrize(("size", "peaks"), [(1, []), (3, [b"x" * 32]), (1, [b"short"]), (-1, [])])
def test_what_is_no_compact_range_is_refused(size: int, peaks: list[bytes]) -> None:
    with pytest.raises(ValueError, match="no compact range"):
        CompactRange(size, peaks)


def test_leaves_and_nodes_never_share_a_hash() -> None:
    left, right = leaves_of(2)
    assert leaf_hash(left + right) != node_hash(left, right)
    assert event_leaf(7, left) == leaf_hash(b"bp-leaf-1" + (7).to_bytes(8, "big") + left)


TIMES = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis takes bounds without a zone.
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=2))]),
)


@forall(st.integers(0, 2**62), st.binary(min_size=32, max_size=32), st.integers(0, 2**62), TIMES)
def test_a_tree_head_reads_back(size: int, root: bytes, position: int, at: datetime) -> None:
    tree_head = SignedTreeHead("build-practical/log/x", size, root, position, at)
    read = SignedTreeHead.parse(tree_head.text())
    assert read == tree_head
    assert read.text() == tree_head.text()
    assert read.agrees_with(tree_head)


GOOD = SignedTreeHead("log", 5, b"\1" * 32, 9, datetime(2026, 1, 2, tzinfo=UTC)).text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "more\n",
        GOOD.replace("\n5\n", "\n05\n"),
        GOOD.replace("\n5\n", "\n-5\n"),
        GOOD.replace("\n5\n", "\n\u0665\n"),
        GOOD.replace("AQE=", "AQF="),
        GOOD.replace("log\n", "lo g\n", 1),
        GOOD.replace("2026-01-02", "2026-13-02"),
        GOOD.replace("position", "place"),
    ],
    ids=range(10),
)
def test_what_is_no_tree_head_is_refused(text: str) -> None:
    assert text != GOOD
    with pytest.raises(NotATreeHead):
        SignedTreeHead.parse(text)

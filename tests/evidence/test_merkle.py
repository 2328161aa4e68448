import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.evidence import merkle
from catalog.evidence.merkle import Frontier, NodeKey, StoredNode

# The eight inputs that Certificate Transparency implementations test with, and their published hashes.
CT_ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_LEAVES = [merkle.leaf_hash(entry) for entry in CT_ENTRIES]
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
CT_PROOF_OF_LEAF_0_IN_8 = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]

LARGEST = 131
LEAVES = [merkle.leaf_hash(b"entry %d" % seq) for seq in range(LARGEST)]


# The definitions of RFC 9162, sections 2.1.1, 2.1.3.1 and 2.1.4.1, word for word: slow, recursive, and sharing
# nothing with the code under test.
def _split(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


@cache
def naive_root(low: int, high: int) -> bytes:
    if low == high:
        return sha256().digest()
    if high - low == 1:
        return LEAVES[low]
    middle = low + _split(high - low)
    return sha256(b"\x01" + naive_root(low, middle) + naive_root(middle, high)).digest()


def naive_path(seq: int, low: int, high: int) -> list[bytes]:
    if high - low == 1:
        return []
    middle = low + _split(high - low)
    if seq < middle:
        return [*naive_path(seq, low, middle), naive_root(middle, high)]
    return [*naive_path(seq, middle, high), naive_root(low, middle)]


def naive_subproof(first: int, low: int, high: int, *, known: bool = True) -> list[bytes]:
    if first == high:
        return [] if known else [naive_root(low, high)]
    middle = low + _split(high - low)
    if first <= middle:
        return [*naive_subproof(first, low, middle, known=known), naive_root(middle, high)]
    return [*naive_subproof(first, middle, high, known=False), naive_root(low, middle)]


class Store:
    """Leaf hashes and the nodes an append gave out, in a dict; counts how it is read."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.frontier, nodes = merkle.append(Frontier(), leaves)
        self.nodes: dict[NodeKey, bytes] = {(0, seq): leaf for seq, leaf in enumerate(leaves)}
        self.nodes.update({(level, index): node for level, index, node in nodes})
        self.reads: list[int] = []

    def read(self, keys: Sequence[NodeKey]) -> Mapping[NodeKey, bytes]:
        self.reads.append(len(keys))
        return {key: self.nodes[key] for key in keys}


@pytest.fixture(scope="module")
def store() -> Store:
    return Store(LEAVES)


def append_in_batches(cuts: Sequence[int]) -> tuple[Frontier, list[StoredNode]]:
    frontier, stored = Frontier(), list[StoredNode]()
    for low, high in pairwise([0, *sorted(cuts), LARGEST]):
        frontier, nodes = merkle.append(frontier, LEAVES[low:high])
        stored += nodes
    return frontier, stored


def flipped(value: bytes) -> Iterator[bytes]:
    for at in range(len(value)):
        yield value[:at] + bytes([value[at] ^ 1 << at % 8]) + value[at + 1 :]


def tampered(proof: list[bytes]) -> Iterator[list[bytes]]:
    for at, value in enumerate(proof):
        yield proof[:at] + proof[at + 1 :]
        yield [*proof[:at], value, *proof[at:]]
        yield [*proof[:at], value[:-1], *proof[at + 1 :]]
        for other in flipped(value):
            yield [*proof[:at], other, *proof[at + 1 :]]
    for at in range(len(proof) - 1):
        yield [*proof[:at], proof[at + 1], proof[at], *proof[at + 2 :]]
    yield [*proof, bytes(32)]
    yield [bytes(32), *proof]


def test_roots_of_the_certificate_transparency_entries_are_the_published_ones():
    roots = [merkle.append(Frontier(), CT_LEAVES[:size])[0].root().hex() for size in range(1, 9)]
    assert roots == CT_ROOTS


def test_the_inclusion_proof_of_a_certificate_transparency_entry_is_the_published_one():
    proof = merkle.inclusion_proof(0, 8, Store(CT_LEAVES).read)
    assert [value.hex() for value in proof] == CT_PROOF_OF_LEAF_0_IN_8


def test_the_root_of_no_leaves_is_the_hash_of_nothing(store: Store):
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.EMPTY_ROOT.hex() == nothing
    assert Frontier().root() == merkle.root_at(0, store.read) == merkle.EMPTY_ROOT


def test_the_root_is_that_of_the_recursive_definition_at_every_size():
    frontier = Frontier()
    for size, leaf in enumerate(LEAVES):
        assert frontier.root() == naive_root(0, size)
        frontier, _ = merkle.append(frontier, [leaf])
    assert frontier.root() == naive_root(0, LARGEST)


def test_the_root_of_every_earlier_size_follows_from_stored_nodes_in_one_read(store: Store):
    for size in range(1, LARGEST + 1):
        store.reads.clear()
        assert merkle.root_at(size, store.read) == naive_root(0, size)
        assert len(store.reads) == 1


def test_only_complete_subtrees_at_every_fourth_level_are_stored():
    _, stored = merkle.append(Frontier(), [bytes([seq % 256]) * 32 for seq in range(600)])
    expected = [(4, index) for index in range(600 // 16)] + [(8, index) for index in range(600 // 256)]
    assert [(level, index) for level, index, _ in stored] == expected


def test_a_stored_node_is_the_root_of_the_leaves_below_it():
    _, stored = append_in_batches([])
    assert len(stored) == LARGEST // 16
    for level, index, node in stored:
        assert node == naive_root(index << level, (index + 1) << level)


@given(st.lists(st.integers(0, LARGEST), max_size=12))
def test_batch_boundaries_change_neither_the_frontier_nor_the_stored_nodes(cuts: list[int]):
    frontier, stored = append_in_batches(cuts)
    frontier_at_once, stored_at_once = append_in_batches([])
    assert frontier == frontier_at_once
    assert sorted(stored) == stored_at_once


def test_leaves_appended_one_by_one_store_what_one_batch_stores():
    frontier, stored = append_in_batches(range(1, LARGEST))
    frontier_at_once, stored_at_once = append_in_batches([])
    assert frontier == frontier_at_once
    assert sorted(stored) == stored_at_once


@given(st.integers(0, LARGEST))
def test_a_frontier_survives_its_bytes(size: int):
    frontier, _ = merkle.append(Frontier(), LEAVES[:size])
    data = frontier.to_bytes()
    assert len(data) == 32 * size.bit_count()
    assert Frontier.from_bytes(size, data) == frontier


@pytest.mark.parametrize(("size", "length"), [(3, 32), (3, 63), (3, 65), (0, 32), (1, 0), (-1, 32)])
def test_bytes_that_are_no_frontier_of_that_size_are_refused(size: int, length: int):
    with pytest.raises(ValueError, match="peak"):
        Frontier.from_bytes(size, bytes(length))


def test_a_leaf_hash_of_another_length_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        merkle.append(Frontier(), [bytes(32), bytes(31)])


def test_every_inclusion_proof_is_the_defined_one_takes_one_read_and_verifies(store: Store):
    for size in range(1, LARGEST + 1):
        root = naive_root(0, size)
        for seq in range(size):
            store.reads.clear()
            proof = merkle.inclusion_proof(seq, size, store.read)
            assert len(store.reads) == (size > 1)
            assert proof == naive_path(seq, 0, size)
            assert merkle.verify_inclusion(LEAVES[seq], seq, size, proof, root)


def test_every_consistency_proof_is_the_defined_one_takes_one_read_and_verifies(store: Store):
    for second in range(1, LARGEST + 1):
        for first in range(1, second + 1):
            store.reads.clear()
            proof = merkle.consistency_proof(first, second, store.read)
            assert len(store.reads) == (first < second)
            assert proof == naive_subproof(first, 0, second)
            roots = naive_root(0, first), naive_root(0, second)
            assert merkle.verify_consistency(first, second, *roots, proof)


def test_proofs_hold_across_several_stored_levels():
    leaves = [sha256(b"%d" % seq).digest() for seq in range(4500)]
    store, chance = Store(leaves), random.Random(9162)
    for _ in range(100):
        second = chance.randint(1, len(leaves))
        first = chance.randint(1, second)
        seq = chance.randrange(first)
        first_root, second_root = merkle.root_at(first, store.read), merkle.root_at(second, store.read)
        assert first_root == merkle.append(Frontier(), leaves[:first])[0].root()
        inclusion = merkle.inclusion_proof(seq, first, store.read)
        assert merkle.verify_inclusion(leaves[seq], seq, first, inclusion, first_root)
        consistency = merkle.consistency_proof(first, second, store.read)
        assert merkle.verify_consistency(first, second, first_root, second_root, consistency)


def test_an_inclusion_proof_changed_anywhere_fails(store: Store):
    for seq, size in [(0, 1), (0, 2), (2, 3), (5, 8), (6, 7), (17, 40), (130, 131)]:
        proof, root = merkle.inclusion_proof(seq, size, store.read), naive_root(0, size)
        for other in tampered(proof):
            assert not merkle.verify_inclusion(LEAVES[seq], seq, size, other, root)
        for leaf in flipped(LEAVES[seq]):
            assert not merkle.verify_inclusion(leaf, seq, size, proof, root)
        for other_root in flipped(root):
            assert not merkle.verify_inclusion(LEAVES[seq], seq, size, proof, other_root)


def test_an_inclusion_proof_holds_at_no_other_place(store: Store):
    for seq in range(40):
        proof, root = merkle.inclusion_proof(seq, 40, store.read), naive_root(0, 40)
        places = [at for at in range(-1, 42) if merkle.verify_inclusion(LEAVES[seq], at, 40, proof, root)]
        assert places == [seq]


def test_a_consistency_proof_changed_anywhere_fails(store: Store):
    for first, second in [(1, 2), (2, 3), (3, 4), (4, 8), (6, 7), (7, 7), (17, 40), (64, 131), (130, 131)]:
        proof = merkle.consistency_proof(first, second, store.read)
        roots = naive_root(0, first), naive_root(0, second)
        for other in tampered(proof):
            assert not merkle.verify_consistency(first, second, *roots, other)
        for root in flipped(roots[0]):
            assert not merkle.verify_consistency(first, second, root, roots[1], proof)
        for root in flipped(roots[1]):
            assert not merkle.verify_consistency(first, second, roots[0], root, proof)


def test_a_rewritten_history_is_consistent_with_no_earlier_root(store: Store):
    for forged in range(40):
        leaves = [*LEAVES[:forged], bytes(32), *LEAVES[forged + 1 :]]
        other = Store(leaves)
        proof = merkle.consistency_proof(40, LARGEST, other.read)
        roots = naive_root(0, 40), other.frontier.root()
        assert not merkle.verify_consistency(40, LARGEST, *roots, proof)
        honest = merkle.consistency_proof(40, LARGEST, store.read)
        assert not merkle.verify_consistency(40, LARGEST, *roots, honest)


def test_the_empty_tree_is_a_prefix_of_every_tree(store: Store):
    empty, root = merkle.EMPTY_ROOT, naive_root(0, 5)
    assert merkle.consistency_proof(0, 5, store.read) == []
    assert merkle.verify_consistency(0, 5, empty, root, [])
    assert merkle.verify_consistency(0, 0, empty, empty, [])
    assert not merkle.verify_consistency(0, 5, root, root, [])
    assert not merkle.verify_consistency(0, 0, root, root, [])
    assert not merkle.verify_consistency(0, 5, empty, root, [root])


hostile_ints = st.integers(-3, 40) | st.integers()
hostile_bytes = st.sampled_from([*LEAVES[:4], merkle.EMPTY_ROOT, b""]) | st.binary(max_size=80)
hostile_proofs = st.lists(hostile_bytes, max_size=8)


@given(hostile_bytes, hostile_ints, hostile_ints, hostile_proofs, st.just(naive_root(0, 13)))
def test_a_made_up_inclusion_proof_is_false_and_never_an_exception(
    leaf: bytes, seq: int, size: int, proof: list[bytes], root: bytes
):
    assert merkle.verify_inclusion(leaf, seq, size, proof, root) is False


@given(hostile_ints, hostile_ints, hostile_bytes, hostile_proofs)
def test_a_made_up_consistency_proof_is_false_and_never_an_exception(
    first: int, second: int, claimed: bytes, proof: list[bytes]
):
    genuine = naive_root(0, 13)
    assert merkle.verify_consistency(first, second, claimed, genuine, proof) is (
        0 == first < second and claimed == merkle.EMPTY_ROOT and not proof
    )


def test_an_empty_proof_shows_no_growth():
    for second in range(2, 40):
        for first in range(1, second):
            roots = naive_root(0, first), naive_root(0, second)
            assert not merkle.verify_consistency(first, second, *roots, [])


def test_a_proof_that_climbs_beyond_the_root_of_the_claimed_size_fails():
    first, second, both = LEAVES[0], LEAVES[1], naive_root(0, 2)
    assert merkle.verify_inclusion(second, 1, 2, [first], both)
    assert not merkle.verify_inclusion(second, 0, 1, [first], both)


def test_halves_of_another_length_do_not_pass_for_a_leaf_and_its_sibling():
    both = LEAVES[0] + LEAVES[1]
    root = naive_root(0, 2)
    assert merkle.verify_inclusion(both[:32], 0, 2, [both[32:]], root)
    assert not merkle.verify_inclusion(both[:33], 0, 2, [both[33:]], root)


@pytest.mark.parametrize(("seq", "size"), [(0, 0), (3, 3), (-1, 3), (0, -1)])
def test_a_leaf_outside_the_tree_has_no_inclusion_proof(store: Store, seq: int, size: int):
    with pytest.raises(ValueError, match="not in a tree"):
        merkle.inclusion_proof(seq, size, store.read)


@pytest.mark.parametrize(("first", "second"), [(4, 3), (-1, 3), (-2, -1)])
def test_a_larger_or_impossible_tree_is_a_prefix_of_none(store: Store, first: int, second: int):
    with pytest.raises(ValueError, match="no prefix"):
        merkle.consistency_proof(first, second, store.read)


def test_a_negative_size_has_no_root(store: Store):
    with pytest.raises(ValueError, match="-1 leaves"):
        merkle.root_at(-1, store.read)


def test_a_size_beyond_the_stored_leaves_is_an_error_and_no_proof(store: Store):
    with pytest.raises(KeyError):
        merkle.root_at(LARGEST + 1, store.read)

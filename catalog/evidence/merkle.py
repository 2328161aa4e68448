"""The Merkle tree over the log: RFC 9162, section 2.1, over SHA-256.

A tree of any size is the row of its complete subtrees, largest first, one per set bit of the size. That
row (the `Frontier`) is all an append needs; a proof needs some older subtrees too, which a `NodeReader`
supplies. The subtree at (level, index) covers the leaves from index << level up to (index + 1) << level;
leaves and indices count from 0.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple, Self

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()

# Only every fourth level is stored: a row per 16 leaves instead of one per leaf, and any subtree between two
# stored levels is recomputed from at most 8 stored hashes, all the siblings of one step from at most 16.
LEVEL_STEP: Final = 4

NodeKey = tuple[int, int]
"""(level, index) of a complete subtree."""

NodeReader = Callable[[Sequence[NodeKey]], Mapping[NodeKey, bytes]]
"""Reads many stored subtree hashes at once; level 0 asks for leaf hashes, index then being the leaf's seq."""

_Leaves = tuple[int, int]  # the leaves [low, high) under one node of the tree, complete or not


class StoredNode(NamedTuple):
    """The hash of a complete subtree that is to be stored; `level` is a positive multiple of `LEVEL_STEP`."""

    level: int
    index: int  # type: ignore[assignment]  # a node has a place; tuple.index() is no use on it and gives way
    hash: bytes


def leaf_hash(entry: bytes) -> bytes:
    """Hash a log entry; the prefix 0x00 keeps a leaf from ever passing for an inner node."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash the node above two subtrees."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The compact range of a tree: enough to append to it and to know its root, in at most 2 kB.

    Attributes:
        size: Number of leaves.
        peaks: Hashes of the complete subtrees, largest first, one per set bit of `size`.

    Raises:
        ValueError: The peaks cannot be those of a tree of this size.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.peaks) != self.size.bit_count() or not _are_hashes(self.peaks):
            raise ValueError(f"a tree of {self.size} leaves has one 32-byte peak per set bit of its size")

    def to_bytes(self) -> bytes:
        """Return the peaks end to end, 32 bytes each; the size is not in it."""
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Self:
        """Read back what `to_bytes` wrote.

        Raises:
            ValueError: `data` is not the peaks of a tree of `size` leaves.
        """
        return cls(size, tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))

    def root(self) -> bytes:
        """Return the tree's root hash, `EMPTY_ROOT` for no leaves."""
        return _join(self.peaks) if self.peaks else EMPTY_ROOT


def append(frontier: Frontier, leaf_hashes: Sequence[bytes]) -> tuple[Frontier, list[StoredNode]]:
    """Append leaves, given by their hashes.

    Returns:
        The new frontier, and the subtrees completed by these leaves at the levels that are stored, lowest
        level first. Leaf hashes are not among them: they live with their log entries. However the same
        leaves are cut into batches, the last frontier and the nodes returned in all are the same.

    Raises:
        ValueError: A leaf hash is not 32 bytes long.
    """
    if not _are_hashes(leaf_hashes):
        raise ValueError("a leaf hash is 32 bytes long")
    old, new = list(frontier.peaks), list[bytes]()
    stored: list[StoredNode] = []
    row, first, level = list(leaf_hashes), frontier.size, 0
    # Level by level, not leaf by leaf: `row` is what this call completes on a level, from index `first` on.
    while row:
        if level and level % LEVEL_STEP == 0:
            stored += (StoredNode(level, index, node) for index, node in enumerate(row, first))
        if first & 1:
            row.insert(0, old.pop())
        if len(row) & 1:
            new.append(row.pop())
        row = _row_above(row)
        first, level = first >> 1, level + 1
    return Frontier(frontier.size + len(leaf_hashes), (*old, *reversed(new))), stored


def inclusion_proof(seq: int, size: int, read: NodeReader) -> list[bytes]:
    """Prove that leaf `seq` is in the tree of the first `size` leaves: its path's siblings, lowest first.

    Raises:
        ValueError: Not 0 <= seq < size.
        KeyError: The reader lacks a node of that tree.
    """
    if not 0 <= seq < size:
        raise ValueError(f"leaf {seq} is not in a tree of {size} leaves")
    siblings, _ = _descend(seq, size, until=lambda low, high: high - low == 1)
    return _hashes_of(siblings, read)


def consistency_proof(first: int, second: int, read: NodeReader) -> list[bytes]:
    """Prove that the tree of `first` leaves is a prefix of the tree of `second` leaves.

    The proof is empty where there is nothing to prove: equal sizes, or an empty first tree.

    Raises:
        ValueError: Not 0 <= first <= second.
        KeyError: The reader lacks a node of the second tree.
    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {first} leaves is no prefix of one of {second}")
    if first == 0:
        return []
    siblings, end = _descend(first - 1, second, until=lambda _, high: high == first)
    # A path that never turned right ends at the first tree itself, whose root the verifier already holds.
    return _hashes_of(siblings if end == (0, first) else [end, *siblings], read)


def root_at(size: int, read: NodeReader) -> bytes:
    """Recompute the root the tree had at `size` leaves.

    Raises:
        ValueError: The size is negative.
        KeyError: The reader lacks a node of that tree.
    """
    if size < 0:
        raise ValueError(f"a tree cannot have {size} leaves")
    return _hashes_of([(0, size)], read)[0] if size else EMPTY_ROOT


def verify_inclusion(leaf_hash: bytes, seq: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether the proof shows that the leaf at `seq` is in the tree of `size` leaves with this root.

    Follows RFC 9162, section 2.1.3.2. Anything malformed is an answer of False, never an exception.
    """
    if not 0 <= seq < size or not _are_hashes((leaf_hash, root, *proof)):
        return False
    sides = _sides(seq, size - 1, len(proof))
    if sides is None:
        return False
    found = leaf_hash
    for sibling, is_left in zip(proof, sides, strict=True):
        found = node_hash(sibling, found) if is_left else node_hash(found, sibling)
    return found == root


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the proof shows that the first tree is a prefix of the second.

    Follows RFC 9162, section 2.1.4.2, which leaves two cases out: equal sizes need equal roots, and the empty
    tree is a prefix of every tree (so that True says nothing about `second_root`); both take an empty proof.
    Anything malformed is an answer of False, never an exception.
    """
    if not 0 <= first <= second or not _are_hashes((first_root, second_root, *proof)):
        return False
    if first == second:
        return not proof and first_root == second_root and (first > 0 or first_root == EMPTY_ROOT)
    if first == 0:
        return not proof and first_root == EMPTY_ROOT
    if not proof:
        return False
    start, *rest = proof if first.bit_count() > 1 else (first_root, *proof)
    # The path starts above the largest complete subtree that ends where the first tree ends.
    level = (first & -first).bit_length() - 1
    sides = _sides((first - 1) >> level, (second - 1) >> level, len(rest))
    if sides is None:
        return False
    first_found = second_found = start
    for sibling, is_left in zip(rest, sides, strict=True):
        if is_left:
            first_found = node_hash(sibling, first_found)
            second_found = node_hash(sibling, second_found)
        else:
            second_found = node_hash(second_found, sibling)
    return first_found == first_root and second_found == second_root


def _are_hashes(values: Sequence[bytes]) -> bool:
    # Checked everywhere: a node's two halves have no separator, so bytes moved across would hash the same.
    return all(len(value) == HASH_BYTES for value in values)


def _descend(leaf: int, size: int, *, until: Callable[[int, int], bool]) -> tuple[list[_Leaves], _Leaves]:
    """Walk from the root towards a leaf; return the siblings passed, lowest first, and where it ended."""
    siblings: list[_Leaves] = []
    low, high = 0, size
    while not until(low, high):
        # A left subtree takes the largest power of two below the number of leaves.
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        if leaf < middle:
            siblings.append((middle, high))
            high = middle
        else:
            siblings.append((low, middle))
            low = middle
    return siblings[::-1], (low, high)


def _sides(node: int, last: int, length: int) -> list[bool] | None:
    """Tell of each of a proof's hashes whether it stands left of the path, climbing from index `node`.

    `last` is the level's last index. None if a proof of that length cannot end at the root.
    """
    sides: list[bool] = []
    for _ in range(length):
        if last == 0:
            return None
        is_left = bool(node & 1) or node == last
        sides.append(is_left)
        # On the right edge a level without a sibling has no hash in the proof.
        while is_left and node and not node & 1:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    return sides if last == 0 else None


def _row_above(row: Sequence[bytes]) -> list[bytes]:
    return [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]


def _join(peaks: Sequence[bytes]) -> bytes:
    *larger, joined = peaks
    for peak in reversed(larger):
        joined = node_hash(peak, joined)
    return joined


def _peaks_of(low: int, high: int) -> Iterator[NodeKey]:
    """Cut the leaves [low, high) of one RFC 9162 subtree into complete subtrees, largest first."""
    while low < high:
        level = (high - low).bit_length() - 1
        yield level, low >> level
        low += 1 << level


def _stored_under(key: NodeKey) -> list[NodeKey]:
    """Return the stored subtrees a complete subtree is made of: itself, or 2, 4 or 8 of a level below."""
    level, index = key
    height = level % LEVEL_STEP
    return [(level - height, (index << height) + nth) for nth in range(1 << height)]


def _hashes_of(ranges: Sequence[_Leaves], read: NodeReader) -> list[bytes]:
    """Hash subtrees, each given by its leaves [low, high), with one read for all of them."""
    plan = [[_stored_under(peak) for peak in _peaks_of(low, high)] for low, high in ranges]
    wanted = [key for peaks in plan for keys in peaks for key in keys]
    nodes = read(wanted) if wanted else {}
    return [_join([_complete([nodes[key] for key in keys]) for keys in peaks]) for peaks in plan]


def _complete(row: Sequence[bytes]) -> bytes:
    while len(row) > 1:
        row = _row_above(row)
    return row[0]

"""Where a graph goes in circles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping


def loops(arcs: Mapping[int, Collection[int]]) -> list[frozenset[int]]:
    """Every largest set of nodes that all lead to each other; a node alone only where it leads to itself.

    Kosaraju's strongly connected components, without recursion: lineage is deeper than Python's stack. Takes time in
    proportion to the arcs. The largest set comes first; of equal ones that with the smallest node.
    """
    sources: dict[int, list[int]] = defaultdict(list)
    for source, targets in arcs.items():
        for target in targets:
            sources[target].append(source)
    found, placed = [], set()
    for root in reversed(_left(arcs)):
        together, waiting = set(), [root]
        while waiting:
            node = waiting.pop()
            if node not in placed:
                placed.add(node)
                together.add(node)
                waiting += sources.get(node, ())
        if len(together) > 1 or (together and root in arcs.get(root, ())):
            found.append(frozenset(together))
    return sorted(found, key=lambda nodes: (-len(nodes), min(nodes)))


def _left(arcs: Mapping[int, Collection[int]]) -> list[int]:
    """The nodes in the order in which a search that goes deep first leaves them for good."""
    order: list[int] = []
    seen: set[int] = set()
    for root in arcs:
        trail = [] if root in seen else [(root, iter(arcs[root]))]
        seen.add(root)
        while trail:
            node, targets = trail[-1]
            further = next((target for target in targets if target not in seen), None)
            if further is None:
                order.append(node)
                trail.pop()
            else:
                seen.add(further)
                trail.append((further, iter(arcs.get(further, ()))))
    return order

"""Which things belong together, where links say of two at a time that they do."""

from __future__ import annotations

from collections.abc import Iterable


def components(ids: Iterable[int], links: Iterable[tuple[int, int]]) -> list[set[int]]:
    """The connected components of an undirected graph."""
    neighbours: dict[int, set[int]] = {id: set() for id in ids}
    for one, other in links:
        neighbours[one].add(other)
        neighbours[other].add(one)
    result: list[set[int]] = []
    unseen = set(neighbours)
    while unseen:
        component: set[int] = set()
        frontier = {unseen.pop()}
        while frontier:
            component |= frontier
            frontier = {n for id in frontier for n in neighbours[id]} - component
        unseen -= component
        result.append(component)
    return result

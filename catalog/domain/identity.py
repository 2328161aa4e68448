"""Names that were one dataset's, and may not be any more: told, never guessed at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from catalog.domain.projection import Stamp


class Doubt(Enum):
    """Why two names may not be one dataset."""

    WITHDRAWN = "WITHDRAWN"
    USED_AGAIN = "USED_AGAIN"


@dataclass(frozen=True, slots=True)
class Said:
    """From this moment on a dataset says that it has these other names. None: nobody can tell what it says."""

    since: Stamp
    names: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The dataset had said of itself that it has this other name, and since an event of this stamp does not."""

    dataset_id: int
    alias_id: int
    since: Stamp


def withdrawn(histories: Mapping[int, Sequence[Said]]) -> list[Withdrawn]:
    """The names that a dataset once gave as its own and now does not, where the other does not say so either.

    Args:
        histories: what was said under each name of one dataset, in the order of time, each until the next.
    """
    now = {name: _now(history) for name, history in histories.items()}
    found = []
    for owner, history in histories.items():
        lost: dict[int, Stamp] = {}
        held: frozenset[int] = frozenset()
        for said in history:
            if said.names is not None:
                lost.update(dict.fromkeys(held - said.names, said.since))
                held = said.names
        found += [
            Withdrawn(owner, name, since)
            for name, since in lost.items()
            if name not in held and owner not in now.get(name, ())
        ]
    return sorted(found, key=lambda one: (one.since, one.dataset_id, one.alias_id))


def _now(history: Sequence[Said]) -> frozenset[int]:
    return next((said.names for said in reversed(history) if said.names is not None), frozenset())

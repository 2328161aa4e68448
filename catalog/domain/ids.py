"""Identities computed from names.

The same names give the same id on every machine, so the writer never asks the database for one and arrival
order cannot matter (law 1). Names are length-prefixed before hashing: no delimiter, so nothing a name holds can
make two different names collide (law 9).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

_MASK = (1 << 63) - 1


def digest_key(digest: bytes) -> int:
    """The 63 bits of a digest that the database joins on; positive, so it fits a signed BIGINT."""
    return int.from_bytes(digest[:8], "big") & _MASK


def key(kind: str, *names: str) -> int:
    """The 63-bit id of a thing of this kind with these names."""
    state = sha256(kind.encode())
    for name in names:
        # surrogatepass: a name typed on a command line may hold what no JSON can; it finds nothing, it never fails.
        raw = name.encode("utf-8", "surrogatepass")
        state.update(len(raw).to_bytes(8, "big"))
        state.update(raw)
    return digest_key(state.digest())


@lru_cache(maxsize=65_536)
def _short_key(kind: str, namespace: str, name: str) -> int:
    return key(kind, namespace, name)


def _entity(kind: str, namespace: str, name: str) -> int:
    # Megabyte names are legal; a cache must not hold on to them.
    if len(namespace) + len(name) > 1_024:  # noqa: PLR2004 - a cache entry's size, nothing more
        return key(kind, namespace, name)
    return _short_key(kind, namespace, name)


def namespace_id(name: str) -> int:
    """The id of a namespace."""
    return _entity("namespace", "", name)


def dataset_id(namespace: str, name: str) -> int:
    """The id of a dataset's name. Several names may be one dataset: see symlinks."""
    return _entity("dataset", namespace, name)


def job_id(namespace: str, name: str) -> int:
    """The id of a job."""
    return _entity("job", namespace, name)


def run_id(job: int, run: str) -> int:
    """The id of a run: producers reuse run ids for other jobs, so the job is part of it."""
    return key("run", str(job), run)


def field_id(dataset: int, field: str) -> int:
    """The id of a column of a dataset."""
    return key("field", str(dataset), field)

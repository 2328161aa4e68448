"""Statements are compiled once for all databases of a test process, and not for each anew.

An engine keeps what it has compiled, and a test has an engine of its own: without this, compiling is the half of what
a test on a small database costs. `tests/conftest.py` installs it. Servers that tests start are as they are.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from sqlalchemy import Engine
from sqlalchemy.util import LRUCache

from catalog.store import engine as opened

_MOST: Final = 5_000


class _Shared(LRUCache[Any, Any]):
    """What engines of one kind have compiled. Their keys begin with a dialect, of which each engine has its own."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key[1:], value)


def install(patch: pytest.MonkeyPatch) -> None:
    """Share from now on."""
    create = opened.create_engine  # type: ignore[attr-defined] # theirs, by the name that is looked up
    caches: dict[str, _Shared] = {}

    def sharing(*arguments: Any, **options: Any) -> Engine:
        engine = create(*arguments, **options)
        engine._compiled_cache = caches.setdefault(engine.dialect.name, _Shared(_MOST))
        return engine

    patch.setattr(opened, "create_engine", sharing)

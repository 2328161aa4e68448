"""What the records are that every event makes many of."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """A frozen record that is made in a tenth of the time a frozen dataclass takes.

    The garbage collector does not look at it, so no record may hold, however deeply, a reference to itself.
    """

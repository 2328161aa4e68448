"""Names as people may be shown them: they are data, and hold whatever somebody sent."""

from __future__ import annotations


def visible(text: str, keep: str = "") -> str:
    """The text with everything written out that does not show, changes how its neighbours do, or a terminal obeys.

    Characters in `keep` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)

"""Errors in the user's words. The docstring of a class is its default message; the edge decides the status."""

from __future__ import annotations


class CatalogError(Exception):
    """Something went wrong."""

    def __init__(self, detail: str = "", *, fix: str = "") -> None:
        super().__init__(detail or type(self).__doc__ or "")
        self.detail = detail or (type(self).__doc__ or "")
        self.fix = fix


class NotAnEvent(CatalogError):
    """These bytes are not an OpenLineage event."""

    def __init__(self, detail: str, *, pointer: str = "", fix: str = "", code: str = "shape") -> None:
        super().__init__(detail, fix=fix)
        self.pointer = pointer
        self.code = code


class TooLarge(CatalogError):
    """The body is larger than the limit."""


class Unavailable(CatalogError):
    """The catalog cannot take this now; send it again."""


class NotMigrated(CatalogError):
    """The database is not at the version this program needs."""


class NotDurable(CatalogError):
    """The database may lose what it acknowledged."""


class UnknownEntity(CatalogError):
    """There is no such thing in the catalog."""


class BadRequest(CatalogError):
    """The question cannot be answered as it was asked."""


class Unauthenticated(CatalogError):
    """A key is needed, and this is none that is known."""


class Forbidden(CatalogError):
    """The caller may not do this."""

    code = "forbidden"

    def __init__(self, detail: str = "", *, pointer: str = "", fix: str = "") -> None:
        super().__init__(detail, fix=fix)
        self.pointer = pointer

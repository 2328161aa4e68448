"""What all tables share: naming, and types that are the same on both engines."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, SmallInteger, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

# Only INTEGER PRIMARY KEY is SQLite's row id; BIGINT would cost a second index.
Key = BigInteger().with_variant(Integer, "sqlite")
# PostgreSQL compares text by the database's collation; pages must be in the same order on both engines.
Sorted = Text(collation="C").with_variant(Text(), "sqlite")


def key(name: str = "id") -> Column[int]:
    """A primary key that is computed, never counted up."""
    return Column(name, Key, primary_key=True, autoincrement=False)


def ref(name: str, *, null: bool = False) -> Column[int]:
    """The id of something else. No foreign key: rows of one transaction may be written in any order."""
    return Column(name, BigInteger, nullable=null)


def at(name: str, *, null: bool = False) -> Column[int]:
    """A time in microseconds since 1970 UTC: exact, sorts alike on both engines, and holds FOREVER."""
    return Column(name, BigInteger, nullable=null)


def small(name: str, *, null: bool = False) -> Column[int]:
    """An enum or a small number."""
    return Column(name, SmallInteger, nullable=null)


def text(name: str, *, null: bool = False) -> Column[str]:
    """Text of any length."""
    return Column(name, Text, nullable=null)


def blob(name: str, *, null: bool = False) -> Column[bytes]:
    """Bytes."""
    return Column(name, LargeBinary, nullable=null)

"""Everything that can be set, with its default and one line about it; read from `CATALOG_*` once, at the top.

Nothing below imports this: parts take plain values or small limits of their own, and `app` hands them over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from catalog.domain.errors import BadRequest

_T = TypeVar("_T", str, int, float)

_PREFIX: Final = "CATALOG_"
_OTHERS: Final = "CATALOG_TEST_"
"""Variables of the test suite, which runs servers with its own environment."""

_MIB: Final = 1024 * 1024


def _setting(default: _T, says: str, *, least: float = 1, most: float = 2**53, secret: bool = False) -> _T:
    """A field with one line about it.

    Args:
        default: Its type is the type of the setting.
        says: What it is, with the unit.
        least: The smallest number allowed.
        most: The largest.
        secret: It is not shown, and can be read from the file that `<variable>_FILE` names.
    """
    return field(default=default, metadata={"says": says, "range": (least, most), "secret": secret})


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the catalog is kept."""

    url: str = _setting(
        "sqlite:///catalog.db", "the database: sqlite:///FILE or postgresql://USER@HOST/NAME", secret=True
    )


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """What may be sent, and how much of it is kept in memory."""

    max_body_bytes: int = _setting(32 * _MIB, "bytes of one body, after decompression")
    max_compressed_bytes: int = _setting(8 * _MIB, "bytes of one compressed body")
    max_inflight_bytes: int = _setting(256 * _MIB, "bytes of all bodies being received or waiting to be stored")
    max_batch_events: int = _setting(500, "events that share a transaction")
    max_waiting_events: int = _setting(10_000, "events waiting to be stored before new ones are answered with 503")
    body_seconds: float = _setting(30.0, "seconds within which a body must arrive", least=0.1)
    answer_seconds: float = _setting(4.0, "seconds after which what is not stored is to be sent again", least=0.1)
    retry_after_seconds: int = _setting(2, "seconds that a 503 asks its client to wait")


@dataclass(frozen=True, slots=True)
class GraphqlSettings:
    """How much one GraphQL request may ask for."""

    max_tokens: int = _setting(1000, "words, numbers, brackets and comments of the query text")
    max_source_bytes: int = _setting(65536, "bytes of the query text, without the variables")
    max_cost: int = _setting(100_000, "fields the answer may hold, by the sizes asked for")
    max_depth: int = _setting(15, "fields inside one another")
    max_root_fields: int = _setting(20, "fields at the top of the operation, fragments expanded")
    max_aliases: int = _setting(100, "fields with an alias or asked for again, fragments expanded", least=0)
    max_directives: int = _setting(50, "directives such as @include, fragments expanded", least=0)
    max_page: int = _setting(1000, "the largest `first`, in items")
    default_page: int = _setting(50, "`first` where neither the query nor the schema gives one, in items")


@dataclass(frozen=True, slots=True)
class LineageSettings:
    """How far one lineage question may go."""

    max_nodes: int = _setting(10_000, "nodes in one answer; it says when it was cut short")
    max_edges: int = _setting(100_000, "edges in one answer; it says when it was cut short")


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting for people: its variable, default and value, and what it is. A secret shows no value."""

    name: str
    default: str
    value: str
    says: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. A variable is `CATALOG_` and the path in capitals: CATALOG_GRAPHQL_MAX_TOKENS."""

    host: str = _setting("127.0.0.1", "the address to listen on; 0.0.0.0 for all")
    port: int = _setting(8180, "the port to listen on; 0 for any that is free", least=0, most=65535)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    graphql: GraphqlSettings = field(default_factory=GraphqlSettings)
    lineage: LineageSettings = field(default_factory=LineageSettings)

    def __post_init__(self) -> None:
        if self.ingest.max_inflight_bytes < self.ingest.max_body_bytes + self.ingest.max_compressed_bytes:
            raise BadRequest(
                "CATALOG_INGEST_MAX_INFLIGHT_BYTES is too small for one body of the size that is allowed.",
                fix="Raise it to the sum of CATALOG_INGEST_MAX_BODY_BYTES and CATALOG_INGEST_MAX_COMPRESSED_BYTES.",
            )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings; a variable that is missing or empty leaves its default.

        Raises:
            BadRequest: naming every variable that is unknown or has a value that cannot be.
        """
        wrong: list[str] = []
        given = {name: value for name, value in environ.items() if name.startswith(_PREFIX) and value}
        given = {name: value for name, value in given.items() if not name.startswith(_OTHERS)}
        read: Settings = _read(cls, _PREFIX, given, wrong)
        wrong += [_unknown(name) for name in sorted(given)]
        if wrong:
            raise BadRequest("\n".join(wrong), fix="`catalog config show` lists every setting.")
        return read

    def variables(self) -> Iterator[Variable]:
        """Every setting, in the order of this file."""
        return _described(self, _PREFIX)


def _read(kind: type[Any], prefix: str, given: dict[str, str], wrong: list[str]) -> Any:  # noqa: ANN401 - a `kind`
    """Make a `kind` of what is `given` under `prefix`, taking it away there."""
    values = {}
    for one in fields(kind):
        name = prefix + one.name.upper()
        if "says" not in one.metadata:
            values[one.name] = _read(one.default_factory, f"{name}_", given, wrong)  # type: ignore[arg-type]  # a group's factory is its class
            continue
        try:
            text = _text(name, given, secret=one.metadata["secret"])
            if text is not None:
                values[one.name] = _value(text, type(one.default), *one.metadata["range"])
        except (ValueError, OSError) as error:
            wrong.append(f"{name}: {error}")
    return kind(**values)


def _text(name: str, given: dict[str, str], *, secret: bool) -> str | None:
    text = given.pop(name, None)
    path = given.pop(f"{name}_FILE", None) if secret else None
    if path is None:
        return text
    if text is not None:
        raise ValueError(f"{name}_FILE is set as well; set one of them.")
    return Path(path).read_text(encoding="utf-8").strip()


def _value(text: str, kind: type[Any], least: float, most: float) -> str | int | float:
    if kind is str:
        return text
    word = "a whole number" if kind is int else "a number"
    try:
        number: int | float = kind(text)
    except ValueError:
        raise ValueError(f"'{text}' is not {word}.") from None
    if not least <= number <= most:  # also refuses NaN
        raise ValueError(f"'{text}' is not {word} from {least:g} to {most:.0f}.")
    return number


def _unknown(name: str) -> str:
    known = [variable.name for variable in Settings().variables()]
    close = get_close_matches(name, known, n=1)
    return f"{name}: there is no such setting." + (f" Is it {close[0]}?" if close else "")


def _described(group: Any, prefix: str) -> Iterator[Variable]:  # noqa: ANN401 - any group of settings
    for one in fields(group):
        name, value = prefix + one.name.upper(), getattr(group, one.name)
        if "says" not in one.metadata:
            yield from _described(value, f"{name}_")
        else:
            secret = one.metadata["secret"]
            shown = "(secret)" if secret and value != one.default else str(value)
            yield Variable(name, str(one.default), shown, one.metadata["says"], secret)

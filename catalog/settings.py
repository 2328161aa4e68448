"""Everything that can be set, with its default and one line about it; read once, at the top.

What `CATALOG_*` says counts before what a TOML file says, and that before the default.

Nothing below imports this: parts take plain values or small limits of their own, and `app` hands them over.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from catalog.domain.errors import BadRequest

_T = TypeVar("_T", str, int, float, bool)

_PREFIX: Final = "CATALOG_"
_OTHERS: Final = ("CATALOG_TEST_", "CATALOG_API_KEY")
"""Variables of the test suite, which runs servers with its own environment, and the key of a client."""

_CONFIG: Final = "CATALOG_CONFIG"
_CONFIG_FILE: Final = "catalog.toml"
_WORDS: Final = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}

_MIB: Final = 1024 * 1024

# To the last @: who forgets to write one in a password as %40 has it masked all the same.
_URL: Final = re.compile(r"([\w+]+://)(?:([^:/@]*)(:.*)?@)?((?:\[[^]@]*\]|[^:/@]*)(?::\d*)?(?:/[^@]*)?)")
_SECRETS: Final = re.compile("pass|secret|token|key", re.IGNORECASE)
_HIDDEN: Final = "(secret)"


def _setting(
    default: _T,
    says: str,
    *,
    least: float = 1,
    most: float = 2**53,
    secret: bool = False,
    choices: Collection[str] = (),
) -> _T:
    """A field with one line about it.

    Args:
        default: Its type is the type of the setting.
        says: What it is, with the unit.
        least: The smallest number allowed.
        most: The largest.
        secret: A URL shown without its password, that can be read from the file that `<variable>_FILE` names.
        choices: The words a text may be; any, where there are none.
    """
    told = {"says": says, "range": (least, most), "secret": secret, "choices": tuple(choices)}
    return field(default=default, metadata=told)


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the catalog is kept."""

    url: str = _setting(
        "sqlite:///catalog.db", "the database: sqlite:///FILE or postgresql://USER@HOST/NAME", secret=True
    )
    unsafe: bool = _setting(
        default=False, says="serve also from a PostgreSQL that may lose what it acknowledged when the power goes"
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
    max_kept_bytes: int = _setting(64 * _MIB, "bytes of answers that are kept until the catalog changes", least=0)


@dataclass(frozen=True, slots=True)
class LineageSettings:
    """How far one lineage question may go."""

    max_nodes: int = _setting(10_000, "nodes in one answer; it says when it was cut short")
    max_edges: int = _setting(100_000, "edges in one answer; it says when it was cut short")
    max_entries: int = _setting(20_000, "log entries read again for what was known on an earlier day, in one operation")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is written to standard error."""

    level: str = _setting(
        "info",
        "the least that is logged; info has a line for each request",
        choices=("debug", "info", "warning", "error"),
    )
    format: str = _setting(
        "auto", "text for people, json for machines; auto is text on a terminal", choices=("auto", "text", "json")
    )


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting for people: its variable, its key in a file, default and value, what it is, and who said so.

    A secret shows what of its value is none: see `masked`.
    """

    name: str
    key: str
    default: str
    value: str
    says: str
    secret: bool
    origin: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and for each variable that somebody set, who: the environment or a file."""

    settings: Settings
    origins: Mapping[str, str]

    def variables(self) -> Iterator[Variable]:
        """Every setting with its origin, in the order of this file."""
        return _described(self.settings, _PREFIX, self.origins)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. A variable is `CATALOG_` and the path in capitals: CATALOG_GRAPHQL_MAX_TOKENS."""

    host: str = _setting("127.0.0.1", "the address to listen on; 0.0.0.0 for all")
    port: int = _setting(8180, "the port to listen on; 0 for any that is free", least=0, most=65535)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    graphql: GraphqlSettings = field(default_factory=GraphqlSettings)
    lineage: LineageSettings = field(default_factory=LineageSettings)
    log: LogSettings = field(default_factory=LogSettings)

    def __post_init__(self) -> None:
        if self.ingest.max_inflight_bytes < self.ingest.max_body_bytes + self.ingest.max_compressed_bytes:
            raise BadRequest(
                "CATALOG_INGEST_MAX_INFLIGHT_BYTES is too small for one body of the size that is allowed.",
                fix="Raise it to the sum of CATALOG_INGEST_MAX_BODY_BYTES and CATALOG_INGEST_MAX_COMPRESSED_BYTES.",
            )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """The settings alone: see `load`."""
        return load(environ).settings

    def variables(self) -> Iterator[Variable]:
        """Every setting, in the order of this file, as if all came from nowhere."""
        return _described(self, _PREFIX, {})


def load(environ: Mapping[str, str], config: Path | None = None) -> Loaded:
    """Read the settings; a variable that is missing or empty leaves what the file says, or the default.

    Args:
        environ: Its `CATALOG_*` are read.
        config: A TOML file. Without one `CATALOG_CONFIG` names it, or it is `catalog.toml` of this folder if there
            is one.

    Raises:
        BadRequest: naming everything that is unknown or has a value that cannot be.
    """
    wrong: list[str] = []
    said = {
        name: _Said(value, name, "environment") for name, value in environ.items() if name.startswith(_PREFIX) and value
    }
    said = {name: one for name, one in said.items() if not name.startswith(_OTHERS)}
    named = said.pop(_CONFIG, None)
    path = config or Path(named.value if named else _CONFIG_FILE)
    if config or named or path.is_file():
        outside = frozenset(said)
        for name, one in _in_file(path, wrong).items():
            # Of a secret and the file it is in, the environment overrides whichever was said.
            twin = name.removesuffix("_FILE") if name.endswith("_FILE") else f"{name}_FILE"
            if one.secret and twin in outside:
                continue
            said.setdefault(name, one)
    origins = {name: one.origin for name, one in said.items()}
    read: Settings = _read(Settings, _PREFIX, said, wrong)
    wrong += [_unknown(name, (variable.name for variable in Settings().variables())) for name in sorted(said)]
    if wrong:
        raise BadRequest("\n".join(wrong), fix="`catalog config show` lists every setting.")
    return Loaded(read, {name.removesuffix("_FILE"): origin for name, origin in origins.items()})


def example() -> str:
    """A file of all settings, commented out with their defaults."""
    lines = ["# Settings of the Lineage Catalog. CATALOG_* variables count before what is said here.", ""]
    section = ""
    for variable in Settings().variables():
        group, _, key = variable.key.rpartition(".")
        if group != section:
            lines += [f"[{group}]", ""]
            section = group
        # JSON's texts are TOML's too, and its numbers and truths.
        value = variable.default if _is_bare(variable.default) else json.dumps(variable.default)
        lines += [f"# {variable.says}", f"#{key} = {value}", ""]
    return "\n".join(lines)


def _is_bare(text: str) -> bool:
    """Whether it is a number or a truth."""
    return text in _TRUTHS or text.replace(".", "", 1).isdecimal()


class _Said(NamedTuple):
    """A value, what the reader knows it by, and where it is from."""

    value: Any
    name: str
    origin: str
    secret: bool = False


def _in_file(path: Path, wrong: list[str]) -> dict[str, _Said]:
    """What a TOML file says, by variable."""
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise BadRequest(f"{path}: {why}.", fix="`catalog config example` prints a file to begin with.") from error
    known = {variable.key: variable for variable in Settings().variables()}
    files = {f"{key}_file": variable for key, variable in known.items() if variable.secret}
    said = {}
    for key, value in _leaves(read):
        if variable := known.get(key) or files.get(key):
            name = f"{variable.name}_FILE" if key in files else variable.name
            # The file of a secret lies beside the file that names it, wherever the program was started.
            found = str(path.parent / value) if key in files and isinstance(value, str) else value
            said[name] = _Said(found, f"{path}: {key}", f"file:{path}", variable.secret)
        else:
            wrong.append(f"{path}: {_unknown(key, (*known, *files))}")
    return said


def _leaves(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield before + key, value


def _read(kind: type[Any], prefix: str, said: dict[str, _Said], wrong: list[str]) -> Any:  # noqa: ANN401 - a `kind`
    """Make a `kind` of what is `said` under `prefix`, taking it away there."""
    values = {}
    for one in fields(kind):
        name = prefix + one.name.upper()
        if "says" not in one.metadata:
            values[one.name] = _read(one.default_factory, f"{name}_", said, wrong)  # type: ignore[arg-type]  # a group's factory is its class
            continue
        given = said.pop(name, None)
        file = said.pop(f"{name}_FILE", None) if one.metadata["secret"] else None
        try:
            if file is not None:
                values[one.name] = _secret(file, given)
            elif given is not None:
                values[one.name] = _value(given, type(one.default), one.metadata)
        except (ValueError, OSError) as error:
            wrong.append(f"{(given or file or _Said('', name, '')).name}: {error}")
    return kind(**values)


def _secret(file: _Said, given: _Said | None) -> str:
    if given is not None:
        raise ValueError(f"{file.name} is set as well; set one of them.")
    if not isinstance(file.value, str):
        raise ValueError(f"{file.value!r} is not {_WORDS[str]}.")  # noqa: TRY004 - said of a setting, like the others
    return Path(file.value).read_text(encoding="utf-8").strip()


def _value(given: _Said, kind: type[Any], told: Mapping[str, Any]) -> str | int | float | bool:
    """The value as `kind`. The environment has texts only; a file has types, and a wrong one is a mistake."""
    value, word = given.value, _WORDS[kind]
    if given.origin == "environment" and kind is not str:
        try:
            value = _TRUTHS[value.lower()] if kind is bool else kind(value)
        except (ValueError, KeyError):
            raise ValueError(f"{given.value!r} is not {word}.") from None
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ValueError(f"{given.value!r} is not {word}.")
    if kind is str and told["choices"] and value not in told["choices"]:
        raise ValueError(f"{value!r} is none of {', '.join(told['choices'])}.")
    least, most = told["range"]
    if kind in (int, float) and not least <= value <= most:  # also refuses NaN
        raise ValueError(f"{given.value!r} is not {word} from {least:g} to {most:.0f}.")
    return value  # type: ignore[no-any-return]  # it is a `kind`


def _unknown(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"{name}: there is no such setting." + (f" Is it {close[0]}?" if close else "")


def _described(group: Any, prefix: str, origins: Mapping[str, str]) -> Iterator[Variable]:  # noqa: ANN401 - any group of settings
    for one in fields(group):
        name, value = prefix + one.name.upper(), getattr(group, one.name)
        if "says" not in one.metadata:
            yield from _described(value, f"{name}_", origins)
            continue
        secret = one.metadata["secret"]
        shown = masked(value) if secret else _shown(value)
        # A group's name is one word, so the first underscore is where it ends.
        section = prefix.removeprefix(_PREFIX).lower().replace("_", ".")
        origin = origins.get(name, "default")
        yield Variable(name, section + one.name, _shown(one.default), shown, one.metadata["says"], secret, origin)


def masked(url: str) -> str:
    """The URL of a database with `***` for its password; "(secret)" where a secret may stand elsewhere in it."""
    place, mark, query = url.partition("?")
    found = _URL.fullmatch(place)
    if found is None or "@" in query or any(_SECRETS.search(name) for name, _ in parse_qsl(query, True)):
        return _HIDDEN
    scheme, user, password, where = found.groups()
    who = "" if user is None else f"{user}{':***' if password else ''}@"
    return f"{scheme}{who}{where}{mark}{query}"


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

"""Write what the reference pages have from the code: `python docs/generate.py`, or `make docs`.

A page is written by hand but for the stretches between `<!-- generated: NAME -->` and `<!-- generated: end -->`.
Whole pages were refused: what a table cannot say belongs beside it, and nobody finds it in a program.
"""  # noqa: INP001 - a program beside the pages it writes, no package

from __future__ import annotations

import inspect
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import NoneType
from typing import Any, Final, get_args, get_type_hints

import orjson
import typer
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    build_schema,
    get_named_type,
    is_required_argument,
    is_specified_scalar_type,
    print_ast,
)
from typer.models import ArgumentInfo, CommandInfo, OptionInfo
from typer.testing import CliRunner

from catalog import facets
from catalog.api.graphql.schema import printed
from catalog.api.problems import Problems
from catalog.cli import app
from catalog.domain import errors
from catalog.domain.wire import only_checks
from catalog.domain.words import Scope
from catalog.settings import Settings, Variable

REFERENCE: Final = Path(__file__).parent / "reference"
PICTURE: Final = Path(__file__).parent / "how-to" / "lineage.svg"
PICTURED: Final = (
    "dataset", "snowflake://harbour-eu", "lending.features.applicant_v2", "--direction", "up", "--depth", "2",
    "--granularity", "column", "--format", "svg",
)  # fmt: skip
RECORDED: Final = Path(__file__).parents[1] / "tests" / "events"

_STRETCH: Final = re.compile(r"(<!-- generated: (?!end)(\w+) -->\n).*?(<!-- generated: end -->)", re.DOTALL)
_GROUPS: Final = {"DATABASE": "Database", "INGEST": "Events", "GRAPHQL": "GraphQL", "LINEAGE": "Lineage", "LOG": "Log"}
_UNITS: Final = ((1 << 20, "MiB"), (1 << 10, "KiB"))


def rendered(page: str) -> str:
    """The text of a page with its generated stretches made anew.

    Raises:
        KeyError: a stretch has a name that nothing here writes.
    """
    return _STRETCH.sub(lambda found: f"{found[1]}\n{WRITERS[found[2]]().strip()}\n\n{found[3]}", page)


def main() -> None:
    """Write every page that is not in step, and name it."""
    for path in sorted(REFERENCE.glob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = rendered(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(REFERENCE.parents[1])}\n")
    PICTURE.write_text(picture(), encoding="utf-8")


def picture() -> str:
    """The picture of docs/how-to/pictures.md, by the command that stands in it."""
    with TemporaryDirectory() as folder:
        database = ["--database", f"sqlite:///{folder}/catalog.db"]
        run = partial(CliRunner().invoke, app, catch_exceptions=False)
        run(["demo", "--yes", *database])
        return run(["lineage", *PICTURED, *database]).stdout


def _table(headings: str, rows: Iterator[tuple[str, ...]]) -> str:
    """A table; nothing where it has no rows. In a cell `|` would begin the next one."""
    names = headings.split(",")
    lines = ["| " + " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join([f"| {' | '.join(names)} |", "|---" * len(names) + "|", *lines]) if lines else ""


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


# Commands, from the functions themselves: what Typer makes of them prints differently from version to version.


def commands() -> str:
    """Every command, its arguments and options."""
    return _paragraphs(*_group(app, "catalog", "##"))


def _group(group: typer.Typer, path: str, level: str) -> Iterator[str]:
    for command in group.registered_commands:
        yield _command(command, path, level)
    for below in group.registered_groups:
        inner = below.typer_instance
        if inner is not None:
            name = f"{path} {below.name}"
            yield _paragraphs(f"{level} {name}", str(inner.info.help))
            yield from _group(inner, name, f"{level}#")


def _command(command: CommandInfo, path: str, level: str) -> str:
    does = command.callback
    if does is None:
        raise TypeError(f"{path} has a command that does nothing.")
    name = command.name or does.__name__.rstrip("_").replace("_", "-")
    example = (command.epilog or "").removeprefix("Example: ")
    return _paragraphs(
        f"{level} {path} {name}",
        inspect.getdoc(does) or "",
        _table("argument,meaning", _arguments(does)),
        _table("option,default,meaning", _options(does)),
        f"Example: `{example}`" if example else "",
    )


def _parameters(does: Callable[..., Any]) -> Iterator[tuple[inspect.Parameter, Any, Any]]:
    """Each parameter, its type, and what Typer is told of it."""
    hints = get_type_hints(does, include_extras=True)
    for parameter in inspect.signature(does).parameters.values():
        hint, *told = get_args(hints[parameter.name])
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        is_list = getattr(hint, "__origin__", None) is list
        yield parameter, hint if is_list or not kinds else kinds[0], told[0]


def _arguments(does: Callable[..., Any]) -> Iterator[tuple[str, ...]]:
    for parameter, kind, told in _parameters(does):
        if isinstance(told, ArgumentInfo):
            many = "…" if getattr(kind, "__origin__", None) is list else ""
            word = f"{told.metavar or parameter.name.upper()}{many}"
            yield f"`{word}`" if parameter.default is inspect.Parameter.empty else f"`[{word}]`", told.help or ""


def _options(does: Callable[..., Any]) -> Iterator[tuple[str, ...]]:
    for parameter, kind, told in _parameters(does):
        if isinstance(told, OptionInfo):
            # Inside of `Annotated` the first word stands where a default would stand otherwise.
            words = ", ".join((str(told.default), *(told.param_decls or ())))
            value = _value(kind, told)
            variable = f" `{told.envvar}` is read where it is left out." if told.envvar else ""
            yield f"`{words}{f' {value}' if value else ''}`", _default(parameter), f"{told.help}{variable}"


def _value(kind: Any, told: OptionInfo) -> str:  # noqa: ANN401 - whatever a parameter's type is
    if kind is bool:
        return ""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(each.value) for each in kind)
    return told.metavar or ("N" if kind in (int, float) else "TEXT")


def _default(parameter: inspect.Parameter) -> str:
    value = parameter.default
    if value is inspect.Parameter.empty:
        return "required"
    if value is None or value is False:
        return ""
    return f"`{value.value if isinstance(value, Enum) else value}`"


# Settings, problems, facets.


def settings() -> str:
    """Every setting, in groups by the second word of its variable."""
    groups: dict[str, list[Variable]] = {}
    for variable in Settings().variables():
        words = variable.name.removeprefix("CATALOG_").split("_")
        groups.setdefault(_GROUPS[words[0]] if words[1:] else "Server", []).append(variable)
    return _paragraphs(
        *(f"## {name}\n\n{_table('variable,default,meaning', map(_setting, group))}" for name, group in groups.items())
    )


def _setting(variable: Variable) -> tuple[str, ...]:
    says = variable.says[:1].upper() + variable.says[1:]
    secret = " May hold a password: it is never shown." if variable.secret else ""
    return f"`{variable.name}`", f"`{variable.default}`{_in_units(variable.default)}", f"{says}.{secret}"


def _in_units(text: str) -> str:
    for size, unit in _UNITS:
        if text.isdecimal() and int(text) and int(text) % size == 0:
            return f" ({int(text) // size} {unit})"
    return ""


def problems() -> str:
    """Every kind of problem document that has its cause in the catalog."""

    def rows() -> Iterator[tuple[str, ...]]:
        answers = Problems(retry_after=2)
        for kind in vars(errors).values():
            if isinstance(kind, type) and issubclass(kind, errors.CatalogError) and kind is not errors.CatalogError:
                said = orjson.loads(bytes(answers.answer(kind("")).body))
                yield str(said["status"]), f"`{said['type']}`", said["title"], kind.__doc__ or ""

    return _table("status,type,title,meaning", iter(sorted(rows())))


def facet_list() -> str:
    """Every facet that is understood: those the graph is made from, and the others."""
    shaping = [facet for facet in facets.ALL if not _only_checks(facet)]
    others = [facet for facet in facets.ALL if facet not in shaping]
    read = ((*_facet(facet), (inspect.getdoc(facet.changes) or "").partition("\n\n")[0]) for facet in shaping)
    return _paragraphs(
        "## Facets that make the graph",
        _table("facet,where,what it says,what is read", read),
        "## Facets that are checked and shown",
        _table("facet,where,what it says", map(_facet, others)),
    )


def _only_checks(facet: facets.Facet) -> bool:
    return facet.changes.__qualname__.startswith(only_checks.__name__)


def _facet(facet: facets.Facet) -> tuple[str, ...]:
    names = (facet.NAME, *getattr(facet, "ALIASES", ()))
    where = ", ".join(scope.name.lower() for scope in sorted(facet.SUBJECTS))
    return " or ".join(f"`{name}`" for name in names), where, inspect.getdoc(facet) or ""


# Producers, from what they sent when they were recorded.

_PRODUCERS: Final = {
    "Airflow": "airflow",
    "Spark": "spark",
    "dbt at the end": "dbt",
    "dbt structured logs": "dbt_structured_logs",
    "Python client": "openlineage_python_http",
}
"""A column of the table: its recording. The others are these again, by another transport."""

_IN_ENTITIES: Final = {"run": Scope.RUN, "job": Scope.JOB, "dataset": Scope.DATASET}
_IN_USES: Final = {"facets": Scope.DATASET, "inputFacets": Scope.INPUT, "outputFacets": Scope.OUTPUT}


def producers() -> str:
    """What each producer sent: how many events, and how many of them have each facet; and what is made of it."""
    sent = {title: list(map(orjson.loads, _recorded(name).splitlines())) for title, name in _PRODUCERS.items()}
    counted = {title: Counter(place for event in events for place in _places(event)) for title, events in sent.items()}
    places = sorted({place for counts in counted.values() for place in counts}, key=lambda p: (p[0], p[1].lower()))

    def row(scope: Scope, name: str) -> tuple[str, ...]:
        counts = (counts[scope, name] for counts in counted.values())
        return f"`{name}`", scope.name.lower(), *(str(count or "") for count in counts), _made(scope, name)

    return _paragraphs(
        _table("producer,events,of which", ((title, *_states(events)) for title, events in sent.items())),
        "## Their facets",
        _table(f"facet,where,{','.join(sent)},here", (row(*p) for p in places)),
    )


def _recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.ndjson").read_bytes()


def _states(events: list[dict[str, Any]]) -> tuple[str, str]:
    kinds = Counter(event.get("eventType") or ("job" if "job" in event else "dataset") for event in events)
    return str(len(events)), ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _places(event: dict[str, Any]) -> set[tuple[Scope, str]]:
    """Every facet that an event has, and where."""
    found = {(scope, name) for part, scope in _IN_ENTITIES.items() for name in event.get(part, {}).get("facets", {})}
    uses = [*event.get("inputs", ()), *event.get("outputs", ())]
    return found | {(scope, name) for use in uses for key, scope in _IN_USES.items() for name in use.get(key) or ()}


def _made(scope: Scope, name: str) -> str:
    facet = facets.find(scope, name)
    if facet is None:
        return "kept, and shown as it is"
    return "checked, and shown" if _only_checks(facet) else "**makes the graph**"


# GraphQL.


def graphql_types() -> str:
    """Every type of the schema but the pages of lists, which are all alike."""
    schema = build_schema(printed())
    query = schema.query_type
    if query is None:
        raise TypeError("The schema has no Query.")
    named = [kind for name, kind in schema.type_map.items() if not name.startswith("__") and kind is not query]
    kept = [kind for kind in named if not _is_of_a_page(kind)]
    return _paragraphs(
        "## What can be asked",
        *(_root(name, field) for name, field in query.fields.items()),
        *(f"## {title}\n\n{_paragraphs(*map(_type, _of(kept, kinds)))}" for title, kinds in _SECTIONS.items()),
    )


def _is_of_a_page(kind: GraphQLNamedType) -> bool:
    is_edge = isinstance(kind, GraphQLObjectType) and "cursor" in kind.fields and "node" in kind.fields
    return is_edge or kind.name.endswith("Connection")


_PAGING: Final = ("first", "after")

_SECTIONS: Final[Mapping[str, tuple[type[GraphQLNamedType], ...]]] = {
    "Answers": (GraphQLObjectType, GraphQLInterfaceType),
    "Inputs": (GraphQLInputObjectType,),
    "Words": (GraphQLEnumType,),
    "Scalars": (GraphQLScalarType,),
}


def _of(types: list[GraphQLNamedType], kinds: tuple[type[GraphQLNamedType], ...]) -> list[GraphQLNamedType]:
    chosen = [kind for kind in types if isinstance(kind, kinds) and not is_specified_scalar_type(kind)]
    return sorted(chosen, key=lambda kind: kind.name)


def _root(name: str, field: GraphQLField) -> str:
    # Every page takes these two, and the page says so once.
    taken = [item for item in field.args.items() if item[0] not in _PAGING]
    arguments = _table("argument,type,default,meaning", map(_argument, taken))
    # No heading: `dataset` would have the anchor that the type `Dataset` is to have.
    return _paragraphs(f"**`{name}`** answers {_linked(field.type)}. {field.description}", arguments)


def _argument(item: tuple[str, GraphQLArgument | GraphQLInputField]) -> tuple[str, ...]:
    name, argument = item
    given = argument.ast_node and argument.ast_node.default_value
    default = print_ast(given) if given else ""
    shown = "" if default in {"", "null"} else f"`{default}`"
    return f"`{name}`", _linked(argument.type), shown, argument.description or ""


def _type(kind: GraphQLNamedType) -> str:
    table = ""
    if isinstance(kind, GraphQLEnumType):
        table = _table("value,meaning", ((f"`{name}`", value.description or "") for name, value in kind.values.items()))
    elif isinstance(kind, GraphQLInputObjectType):
        rows = map(_argument, kind.fields.items())
        table = _table("field,type,meaning", ((name, type_, says) for name, type_, _, says in rows))
    elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        rows_ = ((_called(name, f), _linked(f.type), f.description or "") for name, f in kind.fields.items())
        table = _table("field,type,meaning", rows_)
    return _paragraphs(f"### {kind.name}", " ".join((kind.description or "").split()), table)


def _called(name: str, field: GraphQLField) -> str:
    """A field with the names of its arguments; those that may be left out with a question mark."""
    given = field.args.items()
    words = [word if is_required_argument(argument) else f"{word}?" for word, argument in given if word not in _PAGING]
    return f"`{name}({', '.join(words)})`" if words else f"`{name}`"


def _linked(kind: Any) -> str:  # noqa: ANN401 - any type of a schema
    named = get_named_type(kind)
    name = named.name
    if name.endswith("Connection"):
        return f"a page of {_linked_name(get_named_type(named.fields['nodes'].type).name)}"
    return str(kind).replace(name, _linked_name(name)).replace("[[", r"\[[")


def _linked_name(name: str) -> str:
    return name if name in {"String", "Int", "Float", "Boolean", "ID"} else f"[{name}](#{name.lower()})"


WRITERS: Final[Mapping[str, Callable[[], str]]] = {
    "commands": commands,
    "settings": settings,
    "problems": problems,
    "facets": facet_list,
    "producers": producers,
    "graphql": graphql_types,
}

if __name__ == "__main__":
    main()

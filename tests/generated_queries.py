"""Queries over the real schema, drawn by hypothesis: any selection that is valid, and now and then one that is not.

Fields with arguments and fields of another type get an alias of their own, so that what is drawn twice merges.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
)
from hypothesis import strategies as st

DEPTH, WIDTH = 3, 3

_OF_THE_CLOCK = {("RootCandidates", "moment"), ("RootCandidates", "since")}
"""Fields that say something else when they are asked again."""

Words = Mapping[str, Sequence[Any]]
"""Values to draw from by the name of an argument or input field; else by the name of its type."""


@dataclass
class _Query:
    draw: st.DrawFn
    schema: GraphQLSchema
    words: Words
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)
    aliases: int = 0

    def often(self, percent: int) -> bool:
        """Whether to do something that is done so often."""
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def variable(self, type_: object, value: Any) -> str:
        """A variable with this value, which may be its default."""
        name = f"v{len(self.declared)}"
        given = self.often(80)
        self.declared.append(f"${name}: {type_}" + ("" if given or value is None else f" = {_literal(value)}"))
        if given:
            self.variables[name] = value
        return f"${name}"

    def directives(self) -> str:
        """Mostly nothing; else `@skip`, `@include` or both, with a value or a variable."""
        said = ""
        for name in ("skip", "include"):
            if self.often(8):
                value = self.draw(st.booleans())
                shown = self.variable("Boolean!", value) if self.often(60) else str(value).lower()
                said += f" @{name}(if: {shown})"
        return said

    def alias(self) -> str:
        self.aliases += 1
        return f"a{self.aliases}: "

    def selection(self, kind: Any, depth: int, *, strange: bool = False) -> str:
        """What stands between braces; `strange`: fields may be met again with another type."""
        parts = [self.part(kind, depth, strange=strange) for _ in range(self.draw(st.integers(1, WIDTH)))]
        return "{ " + " ".join([*parts, "__typename"] if strange or not any(parts) else parts) + " }"

    def part(self, kind: Any, depth: int, *, strange: bool) -> str:
        if self.often(12):
            return f"...{self.directives()} {self.selection(kind, depth, strange=strange)}"
        if self.often(10):
            name = f"F{len(self.fragments)}"
            self.fragments.append("")
            inside = self.selection(kind, depth, strange=strange)
            self.fragments[int(name[1:])] = f"fragment {name} on {kind.name} {inside}"
            return " ".join(f"...{name}{self.directives()}" for _ in range(self.draw(st.integers(1, 2))))
        if is_abstract_type(kind) and self.often(70):
            one = self.draw(st.sampled_from(self.schema.get_possible_types(kind)))
            return f"... on {one.name}{self.directives()} {self.selection(one, depth, strange=True)}"
        if isinstance(kind, GraphQLObjectType) and kind.interfaces and self.often(10):
            return f"... on {kind.interfaces[0].name} {{ id {self.alias()}__typename }}"
        return self.field(kind, depth, strange=strange)

    def field(self, kind: Any, depth: int, *, strange: bool) -> str:
        names = [
            name
            for name, said in kind.fields.items()
            if (depth > 0 or not is_composite_type(get_named_type(said.type)))
            and (kind.name, name) not in _OF_THE_CLOCK
        ]
        if not names or self.often(5):
            return f"{self.alias() if self.often(50) else ''}__typename{self.directives()}"
        name = self.draw(st.sampled_from(names))
        said = kind.fields[name]
        arguments = [
            f"{argument}: {self.value(argument, taken.type)}"
            for argument, taken in said.args.items()
            if isinstance(taken.type, GraphQLNonNull)
            or argument == "first"
            # A graph of then is made again for each: seconds, and nothing that an executor could do otherwise.
            or ("ecorded" not in argument and self.often(20))
        ]
        alias = self.alias() if said.args or strange or self.often(15) else ""
        below = get_named_type(said.type)
        inside = f" {self.selection(below, depth - 1, strange=strange)}" if is_composite_type(below) else ""
        given = f"({', '.join(arguments)})" if arguments else ""
        return f"{alias}{name}{given}{self.directives()}{inside}"

    def value(self, name: str, type_: GraphQLInputType) -> str:
        value = self.drawn(name, type_)
        return self.variable(type_, value) if self.often(40) else _literal(value)

    def drawn(self, name: str, type_: GraphQLInputType) -> Any:
        if not isinstance(type_, GraphQLNonNull) and self.often(8):
            return None
        inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if isinstance(inner, GraphQLList):
            return [self.drawn(name, inner.of_type) for _ in range(self.draw(st.integers(1, 2)))]
        if isinstance(inner, GraphQLEnumType):
            return Word(self.draw(st.sampled_from(sorted(inner.values))))
        if isinstance(inner, GraphQLInputObjectType) and not (inner.name in self.words and self.often(90)):
            return {
                key: self.drawn(key, below.type)
                for key, below in inner.fields.items()
                if isinstance(below.type, GraphQLNonNull) or self.often(20)
            }
        if self.often(1):
            return "nothing of that kind"
        return self.draw(st.sampled_from(self.words.get(name) or self.words[get_named_type(inner).name]))


class Word(str):
    """The value of an enum: a text in variables, and bare in a query."""

    __slots__ = ()


def _literal(value: Any) -> str:
    if isinstance(value, Word):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_literal(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value)


@st.composite
def queries(draw: st.DrawFn, schema: GraphQLSchema, words: Words) -> tuple[str, dict[str, Any]]:
    """The text of a query and its variables."""
    query = _Query(draw, schema, words)
    inside = query.selection(schema.query_type, DEPTH)
    head = f"query Q({', '.join(query.declared)}) " if query.declared else ""
    return " ".join([head + inside, *query.fragments]), query.variables

"""An answer made level by level: each field is resolved for all the objects of its level at once.

graphql-core goes from object to object, and does for every field of every object what is the same for all of them:
look up its definition, make its path and its `info`, read its arguments, see what type it has. Here that is done once
when a query is compiled, or once an execution, and what is left for the objects runs over whole lists.

A level waits as a whole, so that loaders are asked for at least as much at once as by graphql-core.

Nothing here says what is wrong with a value: whatever is unusual is raised, and the default executor, which is asked
next, finds the words, the place and what becomes null. So these parts have one duty: never to answer anything else
than it would.
"""

from __future__ import annotations

from asyncio import gather
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from enum import Enum
from functools import lru_cache, partial
from itertools import chain, islice
from operator import attrgetter
from typing import Any, Final, Protocol, TypeAlias, cast

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLAbstractType,
    GraphQLBoolean,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLString,
    Undefined,
    UndefinedType,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path, is_iterable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter, get_arguments
from strawberry.types.field import StrawberryField

Run: TypeAlias = StrawberryGraphQLCoreExecutionContext
"""One execution: its variables, its context, its schema."""

Asked: TypeAlias = GraphQLResolveInfo[Any]
"""What graphql-core tells a resolver of the field."""

Values: TypeAlias = list[Any]
"""What there is at one place of the answer, of every object of the level: resolved, or completed."""

_UNCHANGED: Final = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}
"""Of which type values go into the answer as they are."""

_UNUSUAL: Final = (Exception, Awaitable, AsyncIterable, UndefinedType)


class Stumbled(Exception):
    """The default executor has to answer."""


class Shape(Protocol):
    """How values of one type are completed: made what is in the answer."""

    waits: bool
    """Whether completing may wait for a loader; what does not wait never suspends."""

    async def completed(self, run: Run, info: Asked, values: Values) -> Values:
        """As many as there are values, in their order; None where the value is.

        Raises:
            Exception: the default executor may have to say something of one of them.
        """


class Leaf:
    """Scalars and enums."""

    waits = False

    def __init__(self, type_: GraphQLLeafType, *, required: bool) -> None:
        self._coerce = type_.coerce_output_value
        self._required = required
        self._is_int = type_ is GraphQLInt
        unchanged = _UNCHANGED.get(cast("Any", type_))
        self._unchanged = {unchanged} if required else {unchanged, type(None)}

    async def completed(self, _run: Run, _info: Asked, values: Values) -> Values:
        """See `coerced`."""
        return self.coerced(values)

    def coerced(self, values: Values) -> Values:
        """The values as JSON has them."""
        kinds = set(map(type, values))
        if kinds <= self._unchanged:
            return values
        if self._is_int and kinds == {int} and min(values) >= GRAPHQL_MIN_INT and max(values) <= GRAPHQL_MAX_INT:
            return values
        _check(kinds, required=self._required)
        kinds.discard(type(None))
        # The same values are written alike, and mostly there are few: kinds, depths, moments. What is an enum is known
        # by its id, since to hash it takes longer; of what else could be equal and yet another, each is written.
        if kinds <= {int} or kinds <= {str}:
            keys = values
        elif all(issubclass(kind, Enum) for kind in kinds):
            keys = list(map(id, values))
        else:
            return [self._written(value) for value in values]
        written = {key: self._written(value) for key, value in dict(zip(keys, values, strict=True)).items()}
        return [written[key] for key in keys]

    def _written(self, value: object) -> object:
        if value is None:
            return None
        written = self._coerce(value)
        if written is None or written is Undefined:
            raise Stumbled
        return written


class Items:
    """Lists. The items of all of them are completed together."""

    def __init__(self, inner: Shape, *, required: bool) -> None:
        self._inner, self._required = inner, required
        self.waits = inner.waits

    async def completed(self, run: Run, info: Asked, values: Values) -> Values:
        """A list for each list."""
        _check(set(map(type, values)), required=self._required)
        lists = [None if value is None else _items(value) for value in values]
        if len(lists) == 1 and lists[0] is not None:
            return [await self._inner.completed(run, info, lists[0])]
        flat = list(chain.from_iterable(items for items in lists if items is not None))
        rest = iter(await self._inner.completed(run, info, flat))
        return [None if items is None else list(islice(rest, len(items))) for items in lists]


class Thing:
    """Objects of one type, with what is selected of them."""

    def __init__(self, type_: GraphQLObjectType, fields: Iterable[Field], *, required: bool) -> None:
        self._is_type_of = type_.is_type_of
        self._required = required
        self._fields = tuple(fields)
        self._composed = _composer(tuple(field.name for field in self._fields))
        self._waiting = tuple((place, field) for place, field in enumerate(self._fields) if field.waits)
        self.waits = bool(self._waiting)

    async def completed(self, run: Run, info: Asked, values: Values) -> Values:
        """A dictionary for each object."""
        kinds = set(map(type, values))
        _check(kinds, required=self._required)
        sources = [value for value in values if value is not None] if type(None) in kinds else values
        if self._is_type_of is not None and not all(self._is_type_of(source, info) is True for source in sources):
            raise Stumbled
        rows = await self.rows(run, sources)
        if sources is values:
            return rows
        rest = iter(rows)
        return [None if value is None else next(rest) for value in values]

    async def rows(self, run: Run, sources: Values) -> list[dict[str, Any]]:
        """What is selected of each; the fields that wait do so together."""
        if not sources:
            # Not even an argument is looked at of a field that nothing has.
            return []
        columns = [() if field.waits else await field.column(run, sources) for field in self._fields]
        if self.waits:
            waited = await gather(*(field.column(run, sources) for _, field in self._waiting))
            for (place, _), column in zip(self._waiting, waited, strict=True):
                columns[place] = column
        if not columns:
            return [{} for _ in sources]
        return self._composed(zip(*columns, strict=True))


class Abstract:
    """Objects of an interface or union, each group completed as its type."""

    def __init__(
        self,
        type_: GraphQLAbstractType,
        details: FieldDetailsList,
        things: dict[str, Thing],
        *,
        required: bool,
    ) -> None:
        self._type, self._details, self._things, self._required = type_, details, things, required
        self.waits = any(thing.waits for thing in things.values())

    async def completed(self, run: Run, info: Asked, values: Values) -> Values:
        """A dictionary for each object."""
        _check(set(map(type, values)), required=self._required)
        resolve: Callable[..., Any] = self._type.resolve_type or run.type_resolver
        places: dict[Any, list[int]] = {}
        for place, value in enumerate(values):
            if value is not None:
                places.setdefault(resolve(value, info, self._type), []).append(place)
        groups = [
            (self._thing(run, info, name, values[at[0]]), [values[place] for place in at])
            for name, at in places.items()
        ]
        if self.waits:
            done = await gather(*(thing.completed(run, info, group) for thing, group in groups))
        else:
            done = [await thing.completed(run, info, group) for thing, group in groups]
        result: Values = [None] * len(values)
        for at, rows in zip(places.values(), done, strict=True):
            for place, row in zip(at, rows, strict=True):
                result[place] = row
        return result

    def _thing(self, run: Run, info: Asked, name: object, one: object) -> Thing:
        return self._things[run.ensure_valid_runtime_type(name, self._type, self._details, info, one).name]


class Field:
    """A field of one object type, under the name it has in the answer."""

    def __init__(
        self, name: str, parent: GraphQLObjectType, definition: GraphQLField, details: FieldDetailsList, shape: Shape
    ) -> None:
        self.name = name
        self._parent, self._definition, self._details, self._shape = parent, definition, details, shape
        self._said = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        self._attribute = _attribute(self._said)
        self._called_directly = _is_called_directly(self._said)
        self._is_async = isinstance(self._said, StrawberryField) and self._said.is_async
        self.waits = self._is_async or shape.waits

    async def column(self, run: Run, sources: Values) -> Values:
        """What the field answers of each object of its level."""
        if self._attribute is not None and isinstance(self._shape, Leaf):
            return self._shape.coerced(list(map(self._attribute, sources)))
        # There is a path for each object, which none of our resolvers asks for.
        path = cast("Path", None)
        nodes = [each.node for each in self._details]
        info = run.build_resolve_info(self._definition, nodes, self._parent, path)
        return await self._shape.completed(run, info, await self._resolved(run, info, sources))

    async def _resolved(self, run: Run, info: Asked, sources: Values) -> Values:
        if self._attribute is not None:
            return list(map(self._attribute, sources))
        resolve = self._resolver(run, info)
        values = [resolve(source) for source in sources]
        return await gather(*values) if self._is_async else values

    def _resolver(self, run: Run, info: Asked) -> Callable[[Any], Any]:
        """What resolves the field of one object: its arguments are those of all."""
        first = self._details[0]
        given = get_argument_values(
            self._definition, first.node, run.variable_values, first.fragment_variable_values, run.hide_suggestions
        )
        if not self._called_directly:
            resolve: Callable[..., Any] = self._definition.resolve or run.field_resolver
            return lambda source: resolve(source, info, **given)
        schema = run.schema._strawberry_schema  # type: ignore[attr-defined] # noqa: SLF001 - as `info.schema` finds it
        field = cast("StrawberryField", self._said)
        _, arguments = get_arguments(
            field=field, source=None, info=schema.config.info_class(_raw_info=info, _field=field), kwargs=given,
            config=schema.config, scalar_registry=schema.schema_converter.scalar_registry,
        )  # fmt: skip
        function = cast("Callable[..., Any]", cast("Any", field.base_resolver).wrapped_func)
        return partial(function, **arguments) if arguments else function


@lru_cache(maxsize=1024)
def _composer(names: tuple[str, ...]) -> Callable[[Iterable[tuple[Any, ...]]], list[dict[str, Any]]]:
    """What makes a dictionary with these keys of each tuple of values.

    As code it takes a third of the time of `dict(zip(names, row))`. The grammar of GraphQL allows no name that could be
    anything else in it.
    """
    values = "".join(f"v{place}, " for place in range(len(names)))
    pairs = ", ".join(f"{name!r}: v{place}" for place, name in enumerate(names))
    source = f"lambda rows: [{{{pairs}}} for ({values}) in rows]"
    return cast("Callable[[Iterable[tuple[Any, ...]]], list[dict[str, Any]]]", eval(source))  # noqa: S307 - see above


def _attribute(field: object) -> Callable[[Any], Any] | None:
    """What reads the field, if it is an attribute and nothing else."""
    if isinstance(field, StrawberryField) and field.is_basic_field and field.default_resolver is getattr:
        return attrgetter(field.python_name)
    return None


def _is_called_directly(field: object) -> bool:
    """Whether resolving is calling a method: no extension has a say, and no parameter but `self` is the object."""
    if not isinstance(field, StrawberryField) or field.base_resolver is None or field.extensions:
        return False
    resolver = field.base_resolver
    return bool(resolver.self_parameter) and not resolver.parent_parameter and not resolver.root_parameter


def _check(kinds: set[type], *, required: bool) -> None:
    if required and type(None) in kinds:
        raise Stumbled
    if any(issubclass(kind, _UNUSUAL) for kind in kinds):
        raise Stumbled


def _items(value: object) -> Values:
    if not is_iterable(value):
        raise Stumbled
    return list(value)

"""The executor: queries are compiled once and answered list by list; everything else goes graphql-core's way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from graphql import (
    ExecutionResult,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, collect_fields
from graphql.pyutils import AwaitableOrValue
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from catalog.api.graphql.context import Context
from catalog.api.graphql.executor_columns import Abstract, Field, Items, Leaf, Shape, Stumbled, Thing
from catalog.api.graphql.limits import CACHED_DOCUMENTS

logger = logging.getLogger("catalog.graphql")

_SWITCHED: Final = 16
"""Plans kept of one operation, whose directives leave out other fields with other variables."""


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Answers a query by its plan where the context allows it; where that fails, the context says so afterwards.

    What was read by then is thrown away with the loaders that read it, and the default executor begins anew. Refused:
    to let it go on from the place that failed. It would meet loaders that have their answers already, and wait in
    another order, so that errors came in another order.
    """

    def execute_operation(self, serially: bool | None = None) -> AwaitableOrValue[Any]:
        """Execute the operation; an answer of a plan has no errors."""
        context = self.context_value
        if not isinstance(context, Context) or not context.compiled or not self._is_plain_query():
            return super().execute_operation(serially)
        return self._tried(context)

    def _is_plain_query(self) -> bool:
        middlewares = self.middleware_manager and self.middleware_manager.middlewares
        return self.operation.operation is OperationType.QUERY and not middlewares and self.abort_signal is None

    async def _tried(self, context: Context) -> Any:  # noqa: ANN401 - one of graphql-core's kinds of response
        try:
            data = await self.projected()
        except Exception as error:  # noqa: BLE001 - whatever it is, the default executor finds the words for it
            logger.debug("The plan of an operation failed: %r", error)
            context.stumbled = True
            return ExecutionResult(None, None)
        return self.build_response(data)

    async def projected(self) -> dict[str, Any]:
        """The data of the answer, by the plan.

        Raises:
            Exception: something is wrong with it, or looks as if it were.
        """
        (data,) = await _plan(self).rows(self, [self.root_value])
        return data


class _Same:
    """An operation of a document as a key. Equal nodes would do as well, but to hash them is to walk through them."""

    __slots__ = ("operation", "schema")

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self.schema, self.operation = schema, operation

    def __hash__(self) -> int:
        return hash((id(self.schema), id(self.operation)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.schema is other.schema and self.operation is other.operation


@dataclass(slots=True)
class _Kept:
    """What is known of an operation: the variables in its directives, and for their values the plan."""

    switches: tuple[str, ...] | None = None
    plans: dict[tuple[object, ...], Thing] = field(default_factory=dict)


@lru_cache(maxsize=CACHED_DOCUMENTS)
def _kept(_: _Same) -> _Kept:
    return _Kept()


def _plan(executor: Executor) -> Thing:
    """The plan of the operation that is executed, compiled if it was not before."""
    kept = _kept(_Same(executor.schema, executor.operation))
    if kept.switches is None:
        selected = [executor.operation.selection_set, *(each.selection_set for each in _fragments(executor))]
        kept.switches = tuple(sorted({name for selection in selected for name in _switches(selection)}))
    coerced = executor.variable_values.coerced
    values = tuple(coerced.get(name) for name in kept.switches)
    plan = kept.plans.get(values)
    if plan is None:
        plan = _Compiler(executor).operation()
        if len(kept.plans) < _SWITCHED:
            kept.plans[values] = plan
    return plan


def _fragments(executor: Executor) -> Iterator[Any]:
    return iter(executor.fragment_definitions.values())


def _switches(selected: SelectionSetNode) -> Iterator[str]:
    """The names of all variables in directives."""
    for node in selected.selections:
        for directive in node.directives or ():
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    yield argument.value.name.value
        if inner := getattr(node, "selection_set", None):
            yield from _switches(inner)


class _Compiler:
    """Makes the plan of one operation. Which fields are selected, in which order, graphql-core's own functions say."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def operation(self) -> Thing:
        """The root."""
        run = self._executor
        root = run.schema.query_type
        if root is None:
            raise Stumbled
        collected = collect_fields(
            run.schema, run.fragments, run.variable_values, root, run.operation, run.hide_suggestions
        )
        return self._thing(root, collected, required=True)

    def _thing(self, type_: GraphQLObjectType, collected: CollectedFields, *, required: bool) -> Thing:
        if collected.new_defer_usages:
            raise Stumbled
        fields = (self._field(type_, name, details) for name, details in collected.grouped_field_set.items())
        return Thing(type_, fields, required=required)

    def _field(self, parent: GraphQLObjectType, name: str, details: FieldDetailsList) -> Field:
        definition: GraphQLField | None = self._executor.schema.get_field(parent, details[0].node.name.value)
        if definition is None:
            raise Stumbled
        return Field(name, parent, definition, details, self._shape(definition.type, details))

    def _shape(self, type_: GraphQLOutputType, details: FieldDetailsList, *, required: bool = False) -> Shape:
        if is_non_null_type(type_):
            return self._shape(type_.of_type, details, required=True)
        if is_list_type(type_):
            return Items(self._shape(type_.of_type, details), required=required)
        if is_leaf_type(type_):
            return Leaf(type_, required=required)
        run = self._executor
        if is_abstract_type(type_):
            things = {
                possible.name: self._thing(possible, run.collect_subfields(possible, details), required=True)
                for possible in run.schema.get_possible_types(type_)
            }
            return Abstract(type_, details, things, required=required)
        if is_object_type(type_):
            return self._thing(type_, run.collect_subfields(type_, details), required=required)
        raise Stumbled

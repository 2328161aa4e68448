"""How much one GraphQL request may ask for, decided before anything expensive is done with it.

Strawberry's own limiters were refused: `QueryDepthLimiter` and `MaxAliasesLimiter` walk every fragment
spread anew, so 714 bytes keep them busy for 11 seconds. Here each fragment is weighed once. A graphql-core
validation rule was refused too: rules do not see the variables, where `first` usually comes from, and they
run side by side with the quadratic standard rules, which the limits must keep from running.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
)
from graphql.validation import MaxIntrospectionDepthRule
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document
from strawberry.types import ExecutionContext

from catalog.api.graphql.errors import LimitError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from graphql import (
        ASTValidationRule,
        GraphQLCompositeType,
        GraphQLField,
        GraphQLNamedType,
        SelectionNode,
        SelectionSetNode,
    )
    from strawberry.types.execution import ParseOptions

PLAIN_LIST_SIZE = 10
"""Items expected of a list that takes no `first`: tags, owners, the fields of a dataset."""

PAGE_ARGUMENT, NODES_ARGUMENT = "first", "maxNodes"
"""Arguments that say how many items a field answers."""

DEAR = {"svg": 20}
"""What fields cost that are made and not only read: a node in a picture takes as long as 20 fields."""

MANY = 10**12
"""Where counting stops: doubling fragments reach numbers of thousands of digits."""

CACHED_DOCUMENTS = 128
"""Documents kept parsed and validated; each holds up to 0.4 MB at 1,000 tokens."""


@dataclass(frozen=True)
class Limits:
    """The limits of one GraphQL request. A limit's setting is `CATALOG_GRAPHQL_` and its name in capitals."""

    max_tokens: int = 1000
    """`CATALOG_GRAPHQL_MAX_TOKENS`: words, numbers, brackets and comments of the query text."""
    max_source_bytes: int = 65536
    """`CATALOG_GRAPHQL_MAX_SOURCE_BYTES`: length of the query text in UTF-8, without the variables."""
    max_cost: int = 100_000
    """`CATALOG_GRAPHQL_MAX_COST`: fields the answer may hold, by the sizes asked for (see `weigh`)."""
    max_depth: int = 15
    """`CATALOG_GRAPHQL_MAX_DEPTH`: fields inside one another. The introspection query has 15."""
    max_root_fields: int = 20
    """`CATALOG_GRAPHQL_MAX_ROOT_FIELDS`: fields at the top of the operation, fragments expanded."""
    max_aliases: int = 100
    """`CATALOG_GRAPHQL_MAX_ALIASES`: fields with an alias, fragments expanded, and fields asked for again."""
    max_directives: int = 50
    """`CATALOG_GRAPHQL_MAX_DIRECTIVES`: directives such as `@include`, fragments expanded."""
    max_page: int = 1000
    """`CATALOG_GRAPHQL_MAX_PAGE`: the largest `first`, in items."""
    default_page: int = 50
    """`CATALOG_GRAPHQL_DEFAULT_PAGE`: `first` where neither the query nor the schema gives one, in items."""
    max_kept_bytes: int = 64 << 20
    """`CATALOG_GRAPHQL_MAX_KEPT_BYTES`: answers that are kept until the catalog changes (see `kept`)."""


class Weight(NamedTuple):
    """What a piece of a query asks for, all fragments in it expanded; every count stops at `MANY`."""

    cost: int = 0
    depth: int = 0
    aliases: int = 0
    directives: int = 0
    root_fields: int = 0  # fields on this piece's own level
    page: int = 0  # the largest `first`

    def beside(self, other: Weight) -> Weight:
        """Weigh two pieces standing side by side in one selection."""
        return Weight(
            min(self.cost + other.cost, MANY),
            max(self.depth, other.depth),
            min(self.aliases + other.aliases, MANY),
            min(self.directives + other.directives, MANY),
            min(self.root_fields + other.root_fields, MANY),
            max(self.page, other.page),
        )


def weigh(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None,
    variables: Mapping[str, Any],
    limits: Limits,
) -> list[LimitError]:
    """Return one error for each limit the document exceeds; none if it may be validated and executed.

    A field costs 1 + size x (cost of its selection), where size is `first` or `maxNodes` where the field
    takes one, 10 for other lists and 1 for a single object; a field of `DEAR` costs what stands there. The
    lists directly below a field with a size are what that size counts, so they multiply no further. Linear in
    the length of the document.

    Args:
        schema: where the fields are looked up; unknown ones cost 1, the standard rules report them.
        document: has an operation; may be invalid in any other way, also with cyclic fragments.
        operation_name: the operation to be executed, None for the first.
        variables: the values sent with the request, not yet coerced.
        limits: what is allowed.
    """
    definitions = [
        node for node in document.definitions if isinstance(node, (OperationDefinitionNode, FragmentDefinitionNode))
    ]
    operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
    named = (node for node in operations if node.name is not None and node.name.value == operation_name)
    operation = next(named, operations[0])
    scale = _Scale(schema, definitions, _known_values(operation, variables), limits)
    try:
        executed = scale.definition(operation)
        scale.unused(definitions)
    except RecursionError:
        return [LimitError("max_depth", limits.max_depth, "hundreds of")]
    had = {
        "max_cost": executed.cost,
        "max_root_fields": executed.root_fields,
        "max_page": executed.page,
        "max_depth": max(weight.depth for weight in scale.weighed.values()),
        "max_aliases": max(weight.aliases for weight in scale.weighed.values()) + scale.repeated,
        "max_directives": max(weight.directives for weight in scale.weighed.values()),
    }
    allowed = {limit: getattr(limits, limit) for limit in had}
    return [
        LimitError(limit, allowed[limit], f"{count} or more" if count == MANY else count)
        for limit, count in had.items()
        if count > allowed[limit]
    ]


def _known_values(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of `operation` by name: the value sent, else the node of the default."""
    defaults = {
        definition.variable.name.value: definition.default_value
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None
    }
    return {**defaults, **variables}


_Parent: TypeAlias = "GraphQLNamedType | None"


class _Scale:
    """Weighs the parts of one document, each definition once."""

    def __init__(
        self,
        schema: GraphQLSchema,
        definitions: list[OperationDefinitionNode | FragmentDefinitionNode],
        values: dict[str, Any],
        limits: Limits,
    ) -> None:
        self.schema = schema
        self.fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}
        self.values = values
        self.limits = limits
        self.weighed: dict[tuple[int, bool], Weight] = {}
        self.keys: dict[tuple[int, bool], set[str]] = {}
        self.repeated = 0

    def definition(self, node: OperationDefinitionNode | FragmentDefinitionNode, *, counted: bool = False) -> Weight:
        """Weigh an operation or a fragment; `counted` as in `selection`."""
        key = (id(node), counted)
        if key not in self.weighed:
            # What a cycle finds here; the standard rules report the cycle.
            self.weighed[key], self.keys[key] = Weight(), set()
            if isinstance(node, FragmentDefinitionNode):
                parent = self.schema.get_type(node.type_condition.name.value)
            else:
                parent = self.schema.get_root_type(node.operation)
            inside = self.selection(node.selection_set, parent, self.keys[key], counted=counted)
            bearers = (node, *(node.variable_definitions or ()))
            directives = sum(len(bearer.directives or ()) for bearer in bearers)
            self.weighed[key] = inside.beside(Weight(directives=directives))
        return self.weighed[key]

    def unused(self, definitions: list[OperationDefinitionNode | FragmentDefinitionNode]) -> None:
        """Weigh what the operation does not use: validation reads it all the same."""
        for node in definitions:
            if (id(node), True) not in self.weighed:
                self.definition(node)

    def selection(self, node: SelectionSetNode, parent: _Parent, seen: set[str], *, counted: bool) -> Weight:
        """Weigh what stands between two braces.

        Args:
            node: the braces.
            parent: the schema's type they select from, None if unknown.
            seen: response keys of this level met so far; grows.
            counted: the size of lists on this level is part of the field above.
        """
        total = Weight()
        for part in node.selections:
            total = total.beside(self.part(part, parent, seen, counted=counted))
        return total

    def part(self, node: SelectionNode, parent: _Parent, seen: set[str], *, counted: bool) -> Weight:
        """Weigh a field, a fragment spread or an inline fragment."""
        if isinstance(node, FieldNode):
            weight = self.field(node, parent, seen, counted=counted)
        elif isinstance(node, FragmentSpreadNode):
            weight = self.spread(node, seen, counted=counted)
        else:
            inline = cast("InlineFragmentNode", node)
            narrowed = inline.type_condition
            inner = self.schema.get_type(narrowed.name.value) if narrowed else parent
            weight = self.selection(inline.selection_set, inner, seen, counted=counted)
        return weight.beside(Weight(directives=len(node.directives))) if node.directives else weight

    def spread(self, node: FragmentSpreadNode, seen: set[str], *, counted: bool) -> Weight:
        """Weigh the fragment spread here, nothing if there is none of that name."""
        fragment = self.fragments.get(node.name.value)
        if fragment is None:
            return Weight()
        weight = self.definition(fragment, counted=counted)
        self.meet(self.keys[id(fragment), counted], seen)
        return weight

    def meet(self, keys: set[str], seen: set[str]) -> None:
        """Count the response keys met again on one level.

        They merge when executed, but checking that they can takes time with the square of their number.
        Unlike aliases they are counted as written, since validation does not expand fragments.
        """
        self.repeated += len(seen & keys)
        seen |= keys

    def field(self, node: FieldNode, parent: _Parent, seen: set[str], *, counted: bool) -> Weight:
        """Weigh a field with everything below it."""
        definition = self.schema.get_field(cast("GraphQLCompositeType", parent), node.name.value)
        self.meet({(node.alias or node.name).value}, seen)
        aliased = int(node.alias is not None)
        size, page, sized = self.size(node, definition, counted=counted)
        if node.selection_set is None:
            cost = DEAR.get(node.name.value, 1)
            return Weight(cost=cost, depth=1, aliases=aliased, root_fields=1, page=page)
        below = get_named_type(definition.type) if definition else None
        inside = self.selection(node.selection_set, below, set(), counted=sized)
        return Weight(
            cost=min(1 + size * inside.cost, MANY),
            depth=inside.depth + 1,
            aliases=min(inside.aliases + aliased, MANY),
            directives=inside.directives,
            root_fields=1,
            page=max(page, inside.page),
        )

    def size(self, node: FieldNode, definition: GraphQLField | None, *, counted: bool) -> tuple[int, int, bool]:
        """Return how often a field's selection is answered, its `first`, and whether lists below are counted."""
        if definition is None:
            return 1, 0, False
        is_list = is_list_type(get_nullable_type(definition.type))
        if PAGE_ARGUMENT in definition.args:
            page = self.asked(node, definition, PAGE_ARGUMENT, self.limits.default_page)
            return min(page, self.limits.max_page), page, not is_list
        if NODES_ARGUMENT in definition.args:
            return self.asked(node, definition, NODES_ARGUMENT, self.limits.max_page), 0, not is_list
        return (PLAIN_LIST_SIZE if is_list and not counted else 1), 0, False

    def asked(self, node: FieldNode, definition: GraphQLField, name: str, otherwise: int) -> int:
        """Return the integer a field gets for its argument `name`: from the query, a variable or the schema.

        What no integer can be made of counts as `max_page`: the standard rules refuse it, except for an
        explicit null, of which a resolver can make no more than that.
        """
        default = definition.args[name].default_value
        value: Any = next((given.value for given in node.arguments or () if given.name.value == name), default)
        if isinstance(value, VariableNode):
            value = self.values.get(value.name.value, default)
        if value is default and not isinstance(value, int):
            return otherwise
        if isinstance(value, IntValueNode):
            digits = value.value
            value = int(digits) if len(digits) < len(str(MANY)) else MANY  # int() refuses 4,300 digits
        if not isinstance(value, (int, float)):
            return self.limits.max_page
        return int(min(max(0, value), MANY))  # 0 first: NaN is valid in Python's JSON


@lru_cache(maxsize=CACHED_DOCUMENTS)
def parsed(query: str, max_tokens: int) -> DocumentNode:
    """Return the document, from the cache if it was parsed before; raise GraphQLError where it is none."""
    return parse(query, max_tokens=max_tokens)


@lru_cache(maxsize=CACHED_DOCUMENTS)
def _validated(
    schema: GraphQLSchema, document: DocumentNode, rules: tuple[type[ASTValidationRule], ...]
) -> list[GraphQLError]:
    return validate_document(schema, document, (*rules, MaxIntrospectionDepthRule))


class QueryLimits(SchemaExtension):
    """Keeps every operation, on any transport, within `limits`; caches parsing and validation.

    Weighing is done on every request, since the cost depends on the variables; the caches only hold what
    does not. Validation runs after weighing and only if it passed.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def on_parse(self) -> Iterator[None]:
        """Parse from the cache, or let Strawberry's own parse refuse the text, and name the limit."""
        context, limits = self.execution_context, self.limits
        query = str(context.query)
        length = len(query.encode(errors="surrogatepass"))
        options = {"max_tokens": limits.max_tokens}
        if length > limits.max_source_bytes:
            # graphql-core counts characters; one less than there are makes it refuse before reading any.
            options["max_source_length"] = len(query) - 1
        else:
            with suppress(GraphQLError):
                # Raising here would close a WebSocket instead of answering, so a faulty text is parsed
                # again by Strawberry, which reports it properly.
                context.graphql_document = parsed(query, limits.max_tokens)
        context.parse_options.update(cast("ParseOptions", options))
        yield
        if context.graphql_document is None:
            for error in context.pre_execution_errors or ():
                self._name_limit(error, length)

    def _name_limit(self, error: GraphQLError, length: int) -> None:
        """Say our words in place of the parser's, which do not name a setting."""
        limits = self.limits
        if length > limits.max_source_bytes:
            named = LimitError("max_source_bytes", limits.max_source_bytes, length)
        elif "Document contains more than" in error.message:
            named = LimitError("max_tokens", limits.max_tokens, f"over {limits.max_tokens}")
        else:
            return
        error.message, error.extensions = named.message, named.extensions

    def on_validate(self) -> Iterator[None]:
        """Weigh the operation, then validate it; errors set here keep Strawberry from validating again."""
        context = self.execution_context
        document = cast("DocumentNode", context.graphql_document)
        schema = context.schema._schema  # noqa: SLF001 - Strawberry has no public name for it
        # A WebSocket message is not checked for the type of its variables; coercion refuses others.
        variables = context.variables if isinstance(context.variables, dict) else {}
        over = weigh(schema, document, context.operation_name, variables, self.limits)
        wrong = over or _validated(schema, document, context.validation_rules) or _unnamed(context, document)
        context.pre_execution_errors = [*wrong]
        yield


def _unnamed(context: ExecutionContext, document: DocumentNode) -> list[GraphQLError]:
    """What is wrong where nobody said which of several operations is meant: Strawberry would take the first."""
    several = sum(isinstance(node, OperationDefinitionNode) for node in document.definitions) > 1
    if several and not context._provided_operation_name:  # noqa: SLF001 - what it makes public is never None
        return [UserError("The query has several operations. Say which of them is meant with `operationName`.")]
    return []


def extensions(limits: Limits) -> list[Callable[[], SchemaExtension]]:
    """Return what to pass to `strawberry.Schema(extensions=...)`, beside the mixin `MaskedErrors`.

    Do not add Strawberry's `ParserCache` or `ValidationCache`: the latter overwrites the errors found here.
    """
    return [lambda: QueryLimits(limits)]

"""Statements merge without regard to order, and resolve by the precedence of explicit, columns, everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.domain.statement import End, Flow, Statement, grouped, resolve, statement_key
from catalog.domain.words import Conduct, Derivation, Node

JOB = 1
ids = st.integers(10, 15)
ends = st.builds(End, st.just(int(Node.DATASET)), ids, st.sampled_from(["", "a", "b"]))
flows = st.frozensets(st.builds(Flow, ends, ends), max_size=4)
statements = st.builds(
    Statement,
    inputs=st.frozensets(ids),
    outputs=st.frozensets(ids),
    columns=flows,
    explicit=st.booleans(),
    entries=flows,
    targets=st.frozensets(ends, max_size=2),
    code=st.frozensets(st.sampled_from(["here", "there"])),
    sourceless=st.frozensets(ends, max_size=2),
    through=st.frozensets(st.just(7), max_size=1),
    renames=st.frozensets(st.tuples(ids, ids).filter(lambda pair: pair[0] != pair[1]), max_size=3),
)


@given(statements, statements, statements)
def test_merging_is_commutative_associative_and_idempotent(a: Statement, b: Statement, c: Statement) -> None:
    assert a | b == b | a
    assert (a | b) | c == a | (b | c)
    assert a | a == a


@given(statements)
def test_encoding_is_canonical_and_opens_again(said: Statement) -> None:
    assert Statement.decode(said.encode()) == said
    assert statement_key((said | Statement()).encode()) == statement_key(said.encode())


@given(statements)
def test_a_job_costs_rows_for_inputs_and_outputs_and_never_for_their_product(said: Statement) -> None:
    plain = Statement(said.inputs, said.outputs)

    assert len(resolve(plain, JOB, declared=False).edges) == len(said.inputs) + len(said.outputs)


@given(statements)
def test_nor_do_renames_cost_more_than_a_row_again_for_each_output(said: Statement) -> None:
    plain = Statement(said.inputs, said.outputs, renames=said.renames)

    assert len(resolve(plain, JOB, declared=False).edges) <= len(said.inputs) + 2 * len(said.outputs)


@given(statements)
def test_one_pair_of_nodes_has_one_edge_in_a_statement(said: Statement) -> None:
    edges = resolve(said, JOB, declared=False).edges

    # With renames an output may stand in two groups.
    assert len({(edge.source_id, edge.target_id, edge.group) for edge in edges}) == len(edges)
    assert said.renames or {edge.group for edge in edges} <= {0, 7}


@given(statements)
def test_a_declaration_has_the_same_shape_and_says_that_it_is_one(said: Statement) -> None:
    observed, declared = resolve(said, JOB, declared=False), resolve(said, JOB, declared=True)

    assert {e._replace(derivation=0) for e in observed.edges} == {e._replace(derivation=0) for e in declared.edges}
    assert {edge.derivation for edge in declared.edges} <= {Derivation.DECLARED}
    assert {field.derivation for field in declared.fields} <= {Derivation.DECLARED}


def test_a_known_absence_of_sources_is_no_flow_but_the_job_still_writes() -> None:
    said = Statement(
        inputs=frozenset({10}), outputs=frozenset({11}), explicit=True, targets=frozenset({End(Node.DATASET, 11)})
    )
    edges = {(e.source_id, e.target_id): (e.conduct, e.derivation) for e in resolve(said, JOB, declared=False).edges}

    assert edges == {
        (10, JOB): (Conduct.END, Derivation.IMPLICIT),
        (JOB, 11): (Conduct.BOUNDARY, Derivation.EXPLICIT),
    }


def test_what_has_no_source_is_said_beside_the_edges_and_a_named_source_is_the_better_word() -> None:
    whole, column, other = (End(Node.DATASET, 11, name) for name in ("", "x", "y"))
    said = Statement(
        explicit=True,
        entries=frozenset({Flow(End(Node.DATASET, 10), column)}),
        targets=frozenset({whole}),
        sourceless=frozenset({whole, column, other}),
    )
    fields = resolve(said, JOB, declared=False).fields

    assert {(f.source_node, f.target_column) for f in fields} == {(Node.DATASET, "x"), (Node.NOTHING, "y")}


def test_a_manual_edge_goes_through_the_job_that_was_named() -> None:
    flow = Flow(End(Node.DATASET, 10), End(Node.DATASET, 11))
    said = Statement(explicit=True, entries=frozenset({flow}), through=frozenset({JOB}))
    edges = {(e.source_id, e.target_id): (e.conduct, e.group) for e in resolve(said, None, declared=True).edges}

    assert edges == {
        (10, 11): (Conduct.DIRECT, JOB),
        (10, JOB): (Conduct.BOUNDARY, JOB),
        (JOB, 11): (Conduct.BOUNDARY, JOB),
    }


def test_a_former_name_flows_into_all_but_new_names_and_other_inputs_into_all() -> None:
    said = Statement(frozenset({10, 11}), frozenset({12, 13}), renames=frozenset({(10, 12), (14, 13)}))

    for edges in (resolve(said, JOB, declared=False), grouped(resolve(said, JOB, declared=False), 6)):
        into = {(e.source_id, e.group) for e in edges.edges if e.target_id == JOB}
        out = {(e.target_id, e.group) for e in edges.edges if e.source_id == JOB}
        assert {(one, other) for one, at in into for other, of in out if at == of} == {(10, 13), (11, 12), (11, 13)}


def test_only_rows_that_multiply_are_grouped() -> None:
    said = Statement(
        frozenset({10, 11}),
        frozenset({12, 13}),
        columns=frozenset({Flow(End(Node.DATASET, 10, "a"), End(Node.DATASET, 12, "b"))}),
    )
    groups = {edge.conduct: edge.group for edge in grouped(resolve(said, JOB, declared=False), 7).edges}

    assert groups == {Conduct.THROUGH: 7, Conduct.BOUNDARY: 0, Conduct.DIRECT: 0}

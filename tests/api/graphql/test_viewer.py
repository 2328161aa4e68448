from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from strawberry.types import ExecutionResult

from builders import ran
from catalog.api.graphql.mutations import Mutation
from catalog.api.graphql.permissions import Requires, guarded
from catalog.api.graphql.queries import Query
from catalog.api.graphql.schema import execute
from catalog.domain import keys as spelling
from catalog.domain.callers import PERMISSIONS, Caller, Permission, Role
from catalog.domain.errors import Unavailable
from catalog.store import keys
from catalog.store.engine import Database

Tell = Callable[..., Any]
Ask = Callable[..., ExecutionResult]

CREATE = """mutation($input: CreateKeyInput!) { createKey(input: $input) {
    secret errors { code message fix }
    key { prefix name role namespaces createdBy expiresAt revokedAt lastUsedAt usable } } }"""
REVOKE = """mutation($prefix: String!) { revokeKey(input: {prefix: $prefix}) {
    errors { code message } key { prefix usable revokedBy } } }"""


@pytest.fixture
def asked(database: Database) -> Ask:
    def ask(role: Role, query: str, **variables: Any) -> ExecutionResult:
        return execute(database, query, variables, caller=Caller(f"the {role.value}", role))

    return ask


def data(result: ExecutionResult) -> Any:
    assert result.errors is None, result.errors
    return orjson.loads(orjson.dumps(result.data))


def codes(result: ExecutionResult) -> list[Any]:
    return [(error.extensions or {}).get("code") for error in result.errors or ()]


@pytest.mark.parametrize("role", Role)
def test_everybody_may_ask_who_they_are(asked: Ask, role: Role) -> None:
    said = data(asked(role, "{ viewer { name role permissions } }"))["viewer"]
    assert (said["name"], said["role"]) == (f"the {role.value}", role.name)
    assert {Permission[name] for name in said["permissions"]} == PERMISSIONS[role]


def test_a_viewer_sees_its_own_limits(database: Database) -> None:
    caller = Caller("nightly", Role.INGESTOR, ("s3://*", "n"), "AbCd1234", 1_767_225_600_000_000)
    result = execute(database, "{ viewer { namespaces keyPrefix expiresAt } }", caller=caller)
    assert data(result)["viewer"] == {
        "namespaces": ["s3://*", "n"],
        "keyPrefix": "AbCd1234",
        "expiresAt": "2026-01-01T00:00:00Z",
    }


ROOTS = {
    "{ datasets { totalCount } }": Permission.READ,
    "{ jobs { totalCount } }": Permission.READ,
    "{ runs { totalCount } }": Permission.READ,
    "{ namespaces { totalCount } }": Permission.READ,
    '{ dataset(namespace: "a", name: "b") { name } }': Permission.READ,
    '{ lineage(of: [{kind: JOB, namespace: "shop", name: "j"}]) { nodes { name } } }': Permission.READ,
    '{ node(id: "UnVuOjE=") { id } }': Permission.READ,
    "{ events { totalCount } }": Permission.READ_LOG,
    "{ quarantine { totalCount } }": Permission.READ_LOG,
    '{ run(runId: "r") { events { totalCount } } }': Permission.READ_LOG,
    "{ keys { totalCount } }": Permission.MANAGE_KEYS,
    'mutation { revokeKey(input: {prefix: "x"}) { key { name } } }': Permission.MANAGE_KEYS,
    "mutation { createKey(input: {role: READER}) { key { name } } }": Permission.MANAGE_KEYS,
}


@pytest.mark.parametrize("query", ROOTS)
@pytest.mark.parametrize("role", Role)
def test_a_field_is_answered_to_exactly_those_who_may_ask(asked: Ask, tell: Tell, role: Role, query: str) -> None:
    tell(ran("j", 0, "r").writing("d"))
    result = asked(role, query)
    if Permission.READ in {ROOTS[query]} | PERMISSIONS[role] and ROOTS[query] in PERMISSIONS[role]:
        assert result.errors is None
        return
    assert codes(result) == ["FORBIDDEN"]
    assert result.errors is not None
    assert role.value in result.errors[0].message
    assert "admin" in result.errors[0].message


def test_nothing_is_answered_beside_what_is_forbidden_but_what_is_allowed_says_so(asked: Ask, tell: Tell) -> None:
    tell(ran("j", 0, "r").writing("d"))
    result = asked(Role.READER, '{ viewer { name } run(runId: "r") { runId events { totalCount } } }')
    assert codes(result) == ["FORBIDDEN"]
    assert result.data == {"viewer": {"name": "the reader"}, "run": None}


def test_every_root_field_but_the_viewer_is_guarded() -> None:
    for root in (Query, Mutation):
        for field in root.__strawberry_definition__.fields:  # type: ignore[attr-defined] # Strawberry sets it
            guards = [extension for extension in field.extensions if isinstance(extension, Requires)]
            assert bool(guards) is (field.python_name != "viewer")


def test_guarding_a_field_that_is_not_there_is_a_mistake_seen_at_once() -> None:
    with pytest.raises(ValueError, match="evnts"):
        guarded(Permission.READ, evnts=Permission.READ_LOG)(Query)


def test_a_key_is_made_shown_once_listed_and_revoked(asked: Ask, database: Database) -> None:
    wanted = {"role": "INGESTOR", "name": "nightly", "namespaces": ["s3://*"], "expiresAt": "2999-01-01"}
    made = data(asked(Role.ADMIN, CREATE, input=wanted))["createKey"]
    prefix = spelling.prefix(made["secret"])
    assert made["errors"] == []
    assert made["key"] == {
        "prefix": prefix, "name": "nightly", "role": "INGESTOR", "namespaces": ["s3://*"], "createdBy": "the admin",
        "expiresAt": "2999-01-01T00:00:00Z", "revokedAt": None, "lastUsedAt": None, "usable": True,
    }  # fmt: skip
    with database.read() as connection:
        assert keys.find(connection, spelling.digest(made["secret"])) is not None
    listed = asked(Role.ADMIN, "{ keys { totalCount nodes { prefix name usable } } }")
    assert data(listed)["keys"] == {"totalCount": 1, "nodes": [{"prefix": prefix, "name": "nightly", "usable": True}]}
    assert made["secret"] not in str(listed.data)
    revoked = data(asked(Role.ADMIN, REVOKE, prefix=prefix))["revokeKey"]
    assert revoked == {"errors": [], "key": {"prefix": prefix, "usable": False, "revokedBy": "the admin"}}


def test_what_can_be_no_key_is_said_in_the_payload(asked: Ask, database: Database) -> None:
    made = data(asked(Role.ADMIN, CREATE, input={"role": "READER", "namespaces": ["a"]}))["createKey"]
    assert (made["key"], made["secret"]) == (None, None)
    (error,) = made["errors"]
    assert error["code"] == "BAD_REQUEST"
    assert "only what an ingestor writes" in error["message"]
    revoked = data(asked(Role.ADMIN, REVOKE, prefix="nothing"))["revokeKey"]
    assert (revoked["key"], [one["code"] for one in revoked["errors"]]) == (None, ["NOT_FOUND"])
    with database.read() as connection:
        assert not keys.exist(connection)


def test_a_mutation_that_cannot_be_stored_now_has_no_answer(asked: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(keys, "create", away)
    with pytest.raises(Unavailable):
        asked(Role.ADMIN, CREATE, input={"role": "READER"})

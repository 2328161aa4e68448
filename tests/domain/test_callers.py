from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.domain import keys
from catalog.domain.callers import ANYONE, LOCAL, PERMISSIONS, Caller, Permission, Role, covers, grants
from catalog.domain.errors import BadRequest, Forbidden

RANDOM = st.text(keys.ALPHABET, min_size=keys.RANDOM_LENGTH, max_size=keys.RANDOM_LENGTH)


def test_every_role_has_what_it_is_for_and_no_more() -> None:
    read = Permission.READ
    assert dict(PERMISSIONS) == {
        Role.READER: {read},
        Role.INGESTOR: {Permission.INGEST},
        Role.STEWARD: {read, Permission.STEWARD},
        Role.AUDITOR: {read, Permission.READ_LOG},
        Role.ADMIN: set(Permission),
    }


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_what_a_role_may_not_is_refused_naming_the_roles_that_may(role: Role, permission: Permission) -> None:
    caller = Caller("nightly", role)
    if caller.may(permission):
        caller.require(permission)
        return
    with pytest.raises(Forbidden) as refused:
        caller.require(permission)
    assert role.value in refused.value.detail
    assert all(one.value in refused.value.fix for one in Role if permission in PERMISSIONS[one])


def test_the_command_line_and_an_open_server_may_everything_under_names_of_their_own() -> None:
    assert ANYONE.permissions == LOCAL.permissions == set(Permission)
    assert (ANYONE.name, LOCAL.name) == ("anonymous", "local")
    assert ANYONE.may_write("anything")


@pytest.mark.parametrize(
    ("grant", "namespace", "covered"),
    [
        ("s3://lake", "s3://lake", True),
        ("s3://lake", "s3://lake2", False),
        ("s3://lake", "S3://lake", False),
        ("s3://*", "s3://lake", True),
        ("s3://*", "s3://", True),
        ("s3://*", "s3:/", False),
        ("*", "", True),
        ("postgres://db:5432", "postgres://db:54321", False),
    ],
)
def test_a_grant_is_a_namespace_or_its_beginning(grant: str, namespace: str, covered: bool) -> None:
    assert covers(grant, namespace) is covered
    assert Caller("j", Role.INGESTOR, (grant,)).may_write(namespace) is covered


def test_only_an_ingestor_takes_namespaces() -> None:
    assert grants(Role.INGESTOR, ["a", "b*", "a"]) == ("a", "b*")
    assert grants(Role.READER, []) == ()
    for role in set(Role) - {Role.INGESTOR}:
        with pytest.raises(BadRequest, match="only what an ingestor writes"):
            grants(role, ["a"])


@pytest.mark.parametrize("grant", ["", "a*b", "**", "a\0", "a\n"])
def test_a_grant_that_can_mean_nothing_is_refused(grant: str) -> None:
    with pytest.raises(BadRequest):
        grants(Role.INGESTOR, [grant])


def test_grants_are_bounded_in_length_and_number() -> None:
    most = ["x" * 1_000, *(str(number) for number in range(99))]
    assert len(grants(Role.INGESTOR, most)) == 100
    with pytest.raises(BadRequest, match="101 namespaces are too many"):
        grants(Role.INGESTOR, [*most, "one more"])
    with pytest.raises(BadRequest, match="1001 characters"):
        grants(Role.INGESTOR, ["x" * 1_001])


@given(RANDOM)
def test_a_key_is_recognised_and_called_by_its_beginning(random: str) -> None:
    key = keys.spell(random)
    assert keys.is_key(key)
    assert key.startswith(f"cat_{random}")
    assert len(key) == 40
    assert keys.prefix(key) == keys.prefix(keys.prefix(key)) == random[:8]
    assert len(keys.digest(key)) == 32


@given(RANDOM, st.integers(0, 39), st.sampled_from(string.printable))
def test_a_typo_is_seen_without_asking_anybody(random: str, place: int, typed: str) -> None:
    key = keys.spell(random)
    mistyped = key[:place] + typed + key[place + 1 :]
    assert keys.is_key(mistyped) is (mistyped == key)


ZEROES = keys.spell("0" * 30)


@pytest.mark.parametrize("text", ["", "cat_", "cat_é", "x" * 40, ZEROES + "\n", ZEROES[:-1], ZEROES.lower()])
def test_what_is_not_spelled_like_a_key_is_none(text: str) -> None:
    assert not keys.is_key(text)

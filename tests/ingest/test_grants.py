from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import also_known_as, columns, declared_dataset, declared_job, drawn_from, dropped, entry, facet, ran
from catalog.domain.callers import Caller, Role
from catalog.domain.words import EventKind
from catalog.domain.words import Role as Part
from catalog.ingest.accept import Ingest, Receipt, Received, Refused
from catalog.ingest.decode import decode
from catalog.ingest.grants import GOVERNING, refusal
from catalog.ingest.project import project
from catalog.store import log, quarantine
from catalog.store.engine import Database

OURS, THEIRS = "ours", "theirs"
TEAM = Caller("team", Role.INGESTOR, (OURS,))
JOB = (OURS, "j")
MINE, FOREIGN = (OURS, "d"), (THEIRS, "d")


def told(story: bytes | Iterable[bytes]) -> bytes:
    return story if isinstance(story, bytes) else list(story)[-1]


@pytest.mark.parametrize(
    "story",
    [
        ran(JOB).reading(FOREIGN).writing(MINE),
        ran(JOB).reading(FOREIGN, schema=columns(a="int")),
        ran(JOB).reading(FOREIGN, dataSource=facet(name="n", uri="u"), storage=facet(storageLayer="s")),
        ran(JOB).reading(FOREIGN, somethingNew=facet(anything=1)),
        ran(JOB).from_columns(MINE, a=[(FOREIGN, "b")]),
        ran(JOB).explicitly(entry(MINE, FOREIGN)),
        ran(JOB).writing(MINE, ownership=facet(owners=[{"name": "us"}]), symlinks=also_known_as((OURS, "path"))),
        ran(JOB).inside(ran((THEIRS, "scheduler"))),
        declared_job(JOB, 0, [FOREIGN], [MINE]),
        declared_dataset(MINE, 0, lineage=drawn_from(FOREIGN), tags=facet(tags=[])),
        declared_dataset(MINE, 0, lifecycleStateChange=dropped()),
    ],
)
def test_what_is_written_is_ours_and_others_are_only_read(story: Any) -> None:
    assert refusal(decode(told(story)), TEAM) is None


@pytest.mark.parametrize(
    ("story", "pointer"),
    [
        (ran((THEIRS, "j")), "/job/namespace"),
        (ran(JOB).reading(FOREIGN, documentation=facet(description="x")), "/inputs/0/facets/documentation"),
        (ran(JOB).reading(FOREIGN, datasetType=facet(datasetType="MODEL")), "/inputs/0/facets/datasetType"),
        (declared_job((THEIRS, "j"), 0), "/job/namespace"),
        (ran(JOB).writing(MINE, FOREIGN), "/outputs/1/namespace"),
        (declared_job(JOB, 0, [], [FOREIGN]), "/outputs/0/namespace"),
        (declared_dataset(FOREIGN, 0), "/dataset/namespace"),
        (ran(JOB).explicitly(entry(MINE), entry(FOREIGN, MINE)), "/job/facets/lineage"),
        (ran(JOB).explicitly({"type": "JOB", "namespace": THEIRS, "name": "j"}), "/job/facets/lineage"),
        (ran(JOB).explicitly({"type": "UNHEARD_OF", "namespace": THEIRS, "name": "x"}), "/job/facets/lineage"),
        (declared_dataset(MINE, 0, lineage=facet(entries=[entry(FOREIGN)])), "/dataset/facets/lineage"),
        (ran(JOB).writing(MINE, symlinks=also_known_as(FOREIGN)), "/outputs/0/facets/symlinks"),
        (ran(JOB).reading(MINE, symlinks=also_known_as((OURS, "x"), FOREIGN)), "/inputs/0/facets/symlinks"),
        (
            ran(JOB).writing(
                MINE,
                lifecycleStateChange=facet(
                    lifecycleStateChange="RENAME", previousIdentifier={"namespace": THEIRS, "name": "d"}
                ),
            ),
            "/outputs/0/facets/lifecycleStateChange",
        ),
        *[
            (ran(JOB).reading(MINE, FOREIGN, **{name: facet()}), f"/inputs/1/facets/{name}")
            for name in sorted(GOVERNING)
        ],
        (ran(JOB).reading(FOREIGN, schema=facet(_deleted=True)), "/inputs/0/facets/schema"),
        (ran(JOB).reading(FOREIGN, **{"a/b~c": facet(_deleted=True)}), "/inputs/0/facets/a~1b~0c"),
    ],
)
def test_what_is_not_ours_is_refused_with_its_place_and_the_grant_it_would_take(story: Any, pointer: str) -> None:
    refused = refusal(decode(told(story)), TEAM)
    assert refused is not None
    assert refused.pointer.replace("/inputs/0/", "/inputs/1/") == pointer.replace("/inputs/0/", "/inputs/1/")
    assert f"'{THEIRS}'" in refused.detail
    assert f"--namespace '{THEIRS}'" in refused.fix


def test_a_pointer_counts_the_nulls_that_were_left_out() -> None:
    event = json.loads(told(ran(JOB).writing(MINE, FOREIGN)))
    event["outputs"] = [None, event["outputs"][0], None, event["outputs"][1]]
    refused = refusal(decode(json.dumps(event).encode()), TEAM)
    assert refused is not None
    assert refused.pointer == "/outputs/3/namespace"


def test_all_grants_that_are_missing_are_named_at_once() -> None:
    refused = refusal(decode(told(ran(("a", "j")).writing(("b", "d"), ("a", "e")))), TEAM)
    assert refused is not None
    assert "--namespace 'a' --namespace 'b'," in refused.fix


def test_a_key_without_namespaces_writes_everywhere() -> None:
    anywhere = Caller("team", Role.INGESTOR)
    assert refusal(decode(told(ran((THEIRS, "j")).writing(FOREIGN))), anywhere) is None


NAMES = st.builds(lambda namespace, name: (namespace, name), st.sampled_from([OURS, THEIRS]), st.sampled_from("ab"))
FACETS = st.fixed_dictionaries(
    {},
    optional={
        "schema": st.booleans().map(lambda gone: facet(fields=[], _deleted=gone)),
        "documentation": st.just(facet(description="x")),
        "ownership": st.just(facet(owners=[{"name": "x"}])),
        "symlinks": NAMES.map(also_known_as),
        "lineage": NAMES.map(lambda name: facet(entries=[entry(name, MINE, FOREIGN)])),
        "columnLineage": NAMES.map(
            lambda name: facet(fields={"c": {"inputFields": [{"namespace": name[0], "name": name[1], "field": "f"}]}})
        ),
        "lifecycleStateChange": st.just(dropped()),
    },
)


@st.composite
def events(draw: st.DrawFn) -> bytes:
    match draw(st.sampled_from((EventKind.RUN, EventKind.JOB, EventKind.DATASET))):
        case EventKind.DATASET:
            return declared_dataset(draw(NAMES), 0, **draw(FACETS))
        case EventKind.JOB:
            job_facets = draw(FACETS)
            return declared_job(draw(NAMES), 0, draw(st.lists(NAMES)), draw(st.lists(NAMES)), **job_facets)
        case EventKind.RUN:
            story = ran(draw(NAMES)).job_with(**draw(FACETS))
            for name in draw(st.lists(NAMES, max_size=3)):
                story = story.reading(name, **draw(FACETS))
            for name in draw(st.lists(NAMES, max_size=3)):
                story = story.writing(name, **draw(FACETS))
            return story.event("COMPLETE", 0)


def written(raw: bytes) -> set[str]:
    """The slow and obvious answer: the namespaces of everything the graph would write about, from the projection."""
    projection = project(decode(raw))
    names = {**projection.jobs, **projection.datasets}
    about = {projection.subject_id}
    about |= {use.dataset_id for use in projection.uses if use.role is not Part.INPUT}
    about |= {end.id for end in projection.statement.targets}
    about |= {flow.target.id for flow in projection.statement.columns | projection.statement.entries}
    about |= {id for link in projection.symlinks for id in (link.dataset_id, link.alias_id)}
    about |= {id for rename in projection.renames for id in rename}
    # What facets say: also those that mean nothing where they stand, as a later version may give them a meaning.
    said = json.loads(raw)
    job, datasets = said.get("job"), [*said.get("inputs", []), *said.get("outputs", [])]
    datasets += [said["dataset"]] if "dataset" in said else []
    elsewhere = set()
    for place in [*datasets, job] if job else datasets:
        facets = place["facets"]
        elsewhere |= {one["namespace"] for one in facets.get("lineage", {}).get("entries", [])}
        if place is not job:
            elsewhere |= {one["namespace"] for one in facets.get("symlinks", {}).get("identifiers", [])}
        if facets.keys() & GOVERNING or any(one.get("_deleted") for one in facets.values()):
            elsewhere.add(place["namespace"])
    return {names[id][0] for id in about} | elsewhere


@given(events())
def test_exactly_what_would_write_elsewhere_is_refused(raw: bytes) -> None:
    refused = refusal(decode(raw), TEAM)
    assert (refused is not None) == (THEIRS in written(raw))


def test_a_refused_event_is_kept_and_the_others_are_stored(database: Database) -> None:
    own, foreign = told(ran(JOB).writing(MINE)), told(ran(JOB).writing(FOREIGN))
    ingest = Ingest(database)
    first, second = ingest.accept([Received(own, "test", TEAM), Received(foreign, "test", TEAM)])
    assert isinstance(first, Receipt)
    assert isinstance(second, Refused)
    with database.read() as connection:
        assert log.known(connection, [bytes.fromhex(first.digest), bytes.fromhex(second.digest)]) == {
            bytes.fromhex(first.digest): 0
        }
        (row,) = quarantine.get(connection, [int.from_bytes(bytes.fromhex(second.digest)[:8], "big") & (1 << 63) - 1])
    assert (row.code, row.pointer, row.principal) == ("forbidden", "/outputs/0/namespace", "team")
    assert quarantine.body(row) == foreign
    (operator,) = ingest.accept([Received(foreign, "test")])
    assert isinstance(operator, Receipt)


def test_what_cannot_be_understood_is_not_taken_from_a_key_with_limits(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("a facet does something to us")

    monkeypatch.setattr("catalog.ingest.accept.project", fails)
    own = told(ran(JOB).writing(MINE))
    refused, kept = Ingest(database).accept([Received(own, "test", TEAM), Received(own, "test")])
    assert isinstance(refused, Refused)
    assert refused.reason.code == "forbidden"
    assert isinstance(kept, Receipt)

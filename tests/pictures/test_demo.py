"""The demo's picture, which docs/how-to/pictures.md shows."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from catalog.domain.lineage import EntityRef, Question
from catalog.domain.words import Direction, EntityKind, Granularity
from catalog.pictures import svg
from catalog.store.engine import Database
from catalog.store.lineage import answer
from catalog.store.read import jobs
from catalog.store.read.snapshot import snapshot

SHOWN = Path(__file__).parents[2] / "docs" / "how-to" / "lineage.svg"


def tooltips(picture: str) -> set[str]:
    return {unescape(text) for text in re.findall(r"<title>(.*?)</title>", picture, re.DOTALL)}


def test_the_picture_in_the_documentation_is_that_of_the_demo(demo: Database):
    """If it is not: `make docs` draws it anew."""
    question = Question(
        of=(EntityRef(EntityKind.DATASET, "snowflake://harbour-eu", "lending.features.applicant_v2"),),
        granularity=Granularity.COLUMN,
        direction=Direction.UPSTREAM,
        depth=2,
        hidden=True,
    )
    with snapshot(demo) as reading:
        found = reading.ask(answer, question)
        rows = reading.ask(jobs.by_ids, {edge.job_id for edge in found.edges if edge.job_id is not None})
    picture = svg(found, {id: (row.namespace, row.name) for id, row in rows.items()})
    assert "Lineage of lending.features.applicant_v2" in picture
    assert tooltips(picture) == tooltips(SHOWN.read_text(encoding="utf-8"))

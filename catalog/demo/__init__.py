"""A story to look at: sixty days of a lender that does not exist, as OpenLineage events.

From core banking to the report to the supervisor, told by the schedulers that run it: `raw` and `world` have the
datasets, `pipelines` and `others` the jobs, `dates` the days on which something out of the ordinary happens, `facets`
how all that is said in OpenLineage, `story` the events. Everything is fixed: two tellings differ in no byte.
"""

from __future__ import annotations

from collections.abc import Iterator


def events() -> Iterator[bytes]:
    """Every event of the story as JSON, in the order in which they were sent."""
    # Inside: the client takes a third of a second to load, and most commands do without the story.
    from catalog.demo.story import sent  # noqa: PLC0415
    from catalog.demo.wire import Writer  # noqa: PLC0415

    writer = Writer()
    for one in sent():
        yield writer.write(one.event)

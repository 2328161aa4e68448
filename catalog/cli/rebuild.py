"""`catalog rebuild`: the graph made again from the log."""

from __future__ import annotations

from typing import Annotated

import typer

from catalog.cli.console import Bar, say, tell_record
from catalog.cli.databases import DatabaseOption, JsonOption, opened, settings
from catalog.domain.names import visible


def rebuild(
    database: DatabaseOption = None,
    failed_only: Annotated[
        bool, typer.Option("--failed-only", help="Leave the graph as it is and project what is missing in it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Empty the graph and make it again from the log.

    The result is equal, row for row. It is one transaction: others read the old graph until it is done, and what is
    sent meanwhile waits. After an upgrade, --failed-only tries the events again that could not be understood before.
    """
    from catalog.ingest import replay

    with opened(settings(database).database.url) as target, Bar("replaying") as bar:
        work = replay.retry_failed if failed_only else replay.rebuild
        projected = work(target, bar.at)
        with target.read() as connection:
            left = [(entry.seq, entry.failure or "") for entry in replay.failures(connection)]
    failures = [{"seq": seq, "reason": reason} for seq, reason in left]
    if as_json:
        tell_record({"projected": projected, "failed": failures}, as_json=True)
        return
    tell_record({"projected": projected, "failed": len(failures)}, as_json=False)
    for seq, reason in left:
        say(visible(f"event {seq} is in the log and not in the graph: {reason}"))

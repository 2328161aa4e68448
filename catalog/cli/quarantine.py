"""`catalog quarantine`: what was received and is no event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from catalog.cli.console import Bar, ExitCode, say, shown_time, tell, tell_json, tell_record, tell_table
from catalog.cli.databases import DatabaseOption, JsonOption, opened, settings
from catalog.domain.errors import BadRequest, UnknownEntity
from catalog.domain.ids import digest_key
from catalog.domain.names import visible

if TYPE_CHECKING:
    from catalog.store.engine import Database, Read
    from catalog.store.read.events import RefusedRow

app = typer.Typer(
    help="What was received and is no event: kept with the reason, and tried again when asked.",
    epilog="Example: catalog quarantine list",
    no_args_is_help=True,
)

_PAGE: Final = 500
_SHOWN_BYTES: Final = 400
_RECEIPT_HEX: Final = 32

Named = Annotated[str, typer.Argument(metavar="RECEIPT", help="A receipt (r-...) or an id.")]


@app.command("list", epilog="Example: catalog quarantine list --all --json")
def list_(
    database: DatabaseOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what was accepted when it was tried again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what is in quarantine, the latest first."""
    with opened(settings(database).database.url) as source, source.read() as connection:
        rows = [row for row in _all(connection) if everything or row.retried_at is None]
    if as_json:
        tell_json([_described(row) for row in rows])
        return
    tell_table(
        ("receipt", "received", "bytes", "source", "code", "at", "reason"),
        [
            (_receipt(row), shown_time(row.received_at), row.size, row.source, row.code, row.pointer, row.reason)
            for row in rows
        ],
        whole=("receipt",),
    )
    say(f"{len(rows)} in quarantine; `catalog quarantine show RECEIPT` shows one.")


@app.command(epilog="Example: catalog quarantine show r-0123456789abcdef0123456789abcdef")
def show(
    named: Named,
    database: DatabaseOption = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print all bytes as they were received, and nothing else.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show why something was refused, where, and how it begins."""
    from catalog.store import quarantine

    with opened(settings(database).database.url) as source, source.read() as connection:
        row = _find(connection, named)
        body = quarantine.body(row)
    if raw:
        typer.get_binary_stream("stdout").write(body)
        return
    text = body[:_SHOWN_BYTES].decode(errors="backslashreplace")
    tell_record({**_described(row), "begins": text if as_json else None}, as_json=as_json)
    if not as_json:
        tell(visible(text, keep="\n\t"))


@app.command(epilog="Example: catalog quarantine retry --all")
def retry(
    named: Annotated[list[str] | None, typer.Argument(metavar="RECEIPT", help="Receipts or ids.")] = None,
    database: DatabaseOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that was not accepted yet.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try again to accept what was refused, after an upgrade for example.

    Exits with 3 where something is refused again. What is accepted stays listed as the record of the first try.
    """
    if bool(named) == everything:
        raise typer.BadParameter("Name receipts, or say --all.")
    chosen = settings(database)
    with opened(chosen.database.url) as target:
        with target.read() as connection:
            wanted = _all(connection) if everything else (_find(connection, one) for one in named or ())
            ids = [row.id for row in wanted if row.retried_at is None]
        with Bar("trying again", len(ids)) as bar:
            outcomes = []
            for id in ids:
                outcomes.append(_retry(target, id, chosen.ingest.max_body_bytes))
                bar.add(1)
    refused = [outcome for outcome in outcomes if outcome["refused"]]
    if as_json:
        tell_json(outcomes)
    else:
        tell_table(("receipt", "seq", "refused"), [tuple(outcome.values()) for outcome in outcomes])
        say(f"{len(outcomes) - len(refused)} of {len(outcomes)} accepted.")
    if refused:
        raise typer.Exit(ExitCode.QUARANTINED)


@app.command(epilog="Example: catalog quarantine export refused/")
def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write; made if it is not there.")],
    database: DatabaseOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what was accepted when it was tried again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write every body to a file named by its receipt, and what is known of them to quarantine.ndjson."""
    import orjson

    from catalog.store import quarantine

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            opened(settings(database).database.url) as source,
            source.read() as connection,
            (folder / "quarantine.ndjson").open("wb") as index,
        ):
            written = 0
            for row in _all(connection):
                if row.retried_at is not None and not everything:
                    continue
                (folder / f"{_receipt(row)}.raw").write_bytes(quarantine.body(_row(connection, row.id)))
                index.write(orjson.dumps(_described(row)) + b"\n")
                written += 1
    except OSError as error:
        raise BadRequest(f"{folder} cannot be written: {error.strerror}.", fix="Name another folder.") from error
    tell_record({"written": written, "folder": str(folder)}, as_json=as_json)


def _all(connection: Read) -> Iterator[RefusedRow]:
    from catalog.store.paging import Page
    from catalog.store.read import events

    after: str | None = None
    while True:
        found = events.refused(connection, Page(_PAGE, after))
        yield from found.items
        if not found.has_next:
            return
        after = found.cursors[-1]


def _find(connection: Read, named: str) -> Any:  # noqa: ANN401 - a row; sqlalchemy stays in the store
    digits = named.removeprefix("r-")
    try:
        id = digest_key(bytes.fromhex(digits)) if len(digits) >= _RECEIPT_HEX else int(named)
    except ValueError:
        raise BadRequest(f"{named} is no receipt.", fix="`catalog quarantine list` shows them.") from None
    return _row(connection, id)


def _row(connection: Read, id: int) -> Any:  # noqa: ANN401 - as above
    from catalog.store import quarantine

    rows = quarantine.get(connection, [id])
    if not rows:
        raise UnknownEntity("That is not in quarantine.", fix="`catalog quarantine list` shows what is.")
    return rows[0]


def _retry(database: Database, id: int, max_bytes: int) -> dict[str, object]:
    from catalog.domain.callers import LOCAL
    from catalog.ingest.accept import Ingest, Received, Refused
    from catalog.ingest.decode import DecodeLimits
    from catalog.store import quarantine

    with database.read() as connection:
        row = _row(connection, id)
    said: dict[str, object] = {"receipt": _receipt(row), "seq": None, "refused": None}
    if row.truncated:
        return {**said, "refused": "Only its beginning was kept, as it was too large."}
    ingest = Ingest(database, DecodeLimits(max_bytes=max_bytes))
    # Whoever holds the database decides that it may come in; who sent it stays who sent it.
    sender = replace(LOCAL, name=row.principal)
    (outcome,) = ingest.accept([Received(quarantine.body(row), row.source, sender)])
    if isinstance(outcome, Refused):
        return {**said, "refused": outcome.reason.detail}
    with database.write() as connection:
        quarantine.settle(connection, id, ingest.clock())
    return {**said, "seq": outcome.seq}


def _receipt(row: Any) -> str:  # noqa: ANN401 - as above
    from catalog.ingest.accept import receipt

    return receipt(bytes(row.digest))


def _described(row: Any) -> dict[str, object]:  # noqa: ANN401 - as above
    return {
        "receipt": _receipt(row),
        "id": str(row.id),
        "received": shown_time(row.received_at),
        "source": row.source,
        "principal": row.principal,
        "code": row.code,
        "reason": row.reason,
        "pointer": row.pointer,
        "digest": bytes(row.digest).hex(),
        "bytes": row.size,
        "truncated": bool(row.truncated),
        "accepted": shown_time(row.retried_at),
    }

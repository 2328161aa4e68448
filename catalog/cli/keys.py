"""`catalog keys`: who may connect to a server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from catalog.cli.console import say, shown_time, tell, tell_json, tell_record, tell_table
from catalog.cli.databases import DatabaseOption, JsonOption, begin, opened, settings
from catalog.domain.callers import LOCAL, Role, spoken

if TYPE_CHECKING:
    from catalog.store.engine import Read
    from catalog.store.keys import Key

app = typer.Typer(
    help="Keys: who may connect to a server, and for what. The first one closes a server that was open until then.",
    epilog="Example: catalog keys create --role reader",
    no_args_is_help=True,
)

_PAGE: Final = 500
_SECONDS: Final = {"h": 3_600, "d": 86_400, "w": 7 * 86_400}


@app.command(epilog="Example: catalog keys create --role ingestor --namespace 's3://lake*'")
def create(
    *,
    role: Annotated[
        Role,
        typer.Option(
            "--role",
            case_sensitive=False,
            help="reader asks; ingestor sends events; steward reads and changes governance; auditor reads, raw events "
            "too; admin does everything and makes keys.",
        ),
    ],
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace",
            help="An ingestor may write to this one only, or to all that begin so: 's3://lake*'. Repeatable.",
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", help="What the log calls who uses it. Default: the role and the key's prefix.")
    ] = "",
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="TIME", help="90d, 12h, 8w or 2027-01-01. Default: never.")
    ] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it: this once, it is not stored.

    Only the key is on standard output, so that KEY=$(catalog keys create …) holds it. Servers that run take it at once.
    """
    from catalog.store import keys

    url = settings(database).database.url
    wanted = keys.Wanted(role, tuple(namespace or ()), name, None if expires is None else _moment(expires, keys.now()))
    # A server for others wants a key before it starts, so this may well be the first thing that is done.
    begin(url)
    with opened(url) as target, target.write() as connection:
        first = not keys.exist(connection)
        key, secret = keys.create(connection, wanted, LOCAL)
    if as_json:
        tell_json({"key": secret, **_described(key, keys.now())})
    else:
        tell(secret)
    say(
        f"Made for {key.name}, writing to {spoken(key.namespaces)}."
        if role is Role.INGESTOR
        else f"Made for {key.name}."
    )
    say("It is shown this once. Clients send it as OPENLINEAGE_API_KEY, or as Authorization: Bearer KEY.")
    if first:
        say("It is the first key: from now on, servers of this catalog ask for one.")


@app.command("list", epilog="Example: catalog keys list --json")
def list_(database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List all keys, the newest first: what they are for, and when they were used last. No key is shown."""
    from catalog.store import keys

    with opened(settings(database).database.url) as source, source.read() as connection:
        found = list(_all(connection))
    at = keys.now()
    if as_json:
        tell_json([_described(key, at) for key in found])
        return
    tell_table(
        ("prefix", "name", "role", "writes to", "created", "expires", "last used", "state"),
        (
            (
                key.prefix,
                key.name,
                key.role.value,
                spoken(key.namespaces) if key.role is Role.INGESTOR else "",
                shown_time(key.created_at),
                shown_time(key.expires_at),
                shown_time(key.last_used_at),
                _state(key, at),
            )
            for key in found
        ),
        whole=("prefix",),
    )


@app.command(epilog="Example: catalog keys revoke 4fQx81Lm")
def revoke(
    prefix: Annotated[
        str, typer.Argument(metavar="PREFIX", help="The first characters, as `catalog keys list` has them.")
    ],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a key let nobody in any more, on every server within seconds. Its row stays, as what it did is in the log."""
    from catalog.store import keys

    with opened(settings(database).database.url) as target, target.write() as connection:
        key = keys.revoke(connection, prefix, LOCAL)
        left = keys.count_usable(connection)
    described = _described(key, keys.now())
    tell_record(described if as_json else {**described, "namespaces": spoken(key.namespaces)}, as_json=as_json)
    if not left:
        say("No key is left that can be used: servers refuse everybody until `catalog keys create` makes one.")


def _all(connection: Read) -> Iterator[Key]:
    from catalog.store import keys
    from catalog.store.paging import Page

    after: str | None = None
    while True:
        found = keys.page(connection, Page(_PAGE, after))
        yield from found.items
        if not found.has_next:
            return
        after = found.cursors[-1]


def _described(key: Key, at: int) -> dict[str, object]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "role": key.role.value,
        "namespaces": list(key.namespaces),
        "created": shown_time(key.created_at),
        "createdBy": key.created_by,
        "expires": shown_time(key.expires_at),
        "lastUsed": shown_time(key.last_used_at),
        "revoked": shown_time(key.revoked_at),
        "revokedBy": key.revoked_by,
        "state": _state(key, at),
    }


def _state(key: Key, at: int) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "usable" if key.usable(at) else "expired"


def _moment(text: str, now: int) -> int:
    """Microseconds since 1970 UTC of a time, or of so many hours, days or weeks from now."""
    at = _microseconds(text, now)
    if shown_time(at) is None:
        raise typer.BadParameter(
            f"{text} is outside of the years 1 to 9999. Leave it out for a key that never ends.",
            param_hint="--expires",
        )
    return at


def _microseconds(text: str, now: int) -> int:
    number, unit = text[:-1], text[-1:]
    if unit in _SECONDS and number.isascii() and number.isdecimal() and len(number) <= 6:  # noqa: PLR2004 - in digits
        return now + int(number) * _SECONDS[unit] * 1_000_000
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text} is no time. Write 90d, 12h, 8w or 2027-01-01.", param_hint="--expires"
        ) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000_000)

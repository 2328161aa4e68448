"""`catalog lineage`: where data comes from and where it goes."""

from __future__ import annotations

from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.console import is_terminal, say, tell
from catalog.cli.databases import DatabaseOption, JsonOption, opened, settings
from catalog.domain.errors import BadRequest

if TYPE_CHECKING:
    from catalog.cli.drawing import Branch
    from catalog.domain.lineage import Lineage, Question
    from catalog.pictures import JobNames
    from catalog.store.engine import Read


class Kind(Enum):
    """What can be asked about."""

    DATASET = "dataset"
    COLUMN = "column"
    JOB = "job"
    RUN = "run"
    MODEL = "model"


class Way(Enum):
    """Which way to walk."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


class Grain(Enum):
    """Which nodes the answer is made of."""

    DATASET = "dataset"
    JOB = "job"
    COLUMN = "column"
    RUN = "run"


class Format(Enum):
    """How the answer is written."""

    TREE = "tree"
    JSON = "json"
    DOT = "dot"
    MERMAID = "mermaid"
    SVG = "svg"


def lineage(
    kind: Annotated[
        Kind, typer.Argument(metavar="KIND", case_sensitive=False, help="dataset, column, job, run or model.")
    ],
    namespace: Annotated[
        str, typer.Argument(metavar="NAMESPACE", help="Its namespace; of a run, that of its job (may be empty: '').")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name; of a run, the run id.")],
    *,
    column: Annotated[str | None, typer.Option("--column", help="One column of the dataset.")] = None,
    direction: Annotated[Way, typer.Option("--direction", help="Which way to walk.")] = Way.BOTH,
    depth: Annotated[int, typer.Option("--depth", min=0, help="How many hops to walk each way.")] = 5,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="TIME", help="As it was at this moment (ISO 8601).")
    ] = None,
    recorded_as_of: Annotated[
        str | None,
        typer.Option("--recorded-as-of", metavar="TIME", help="As the catalog knew it at this moment (ISO 8601)."),
    ] = None,
    granularity: Annotated[
        Grain | None, typer.Option("--granularity", help="Which nodes the answer is made of. Default: of that KIND.")
    ] = None,
    max_nodes: Annotated[int, typer.Option("--max-nodes", min=1, help="How many nodes at most.")] = 1_000,
    format: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TREE,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help="Write the answer to this file, which is made anew.")
    ] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where data comes from and where it goes.

    Every line of the tree can be pasted behind `catalog lineage` to go on from there. SVG is a picture for a browser;
    DOT and Mermaid are for programs that draw.
    """
    from catalog.cli import drawing
    from catalog.ingest.recorded import Past, recorded
    from catalog.store import lineage as walk
    from catalog.store.read.snapshot import Snapshot, snapshot
    from catalog.store.surroundings import Around

    question = _question(
        kind, (namespace, name, column), direction=direction, depth=depth, as_of=as_of, granularity=granularity,
        max_nodes=max_nodes, hidden=format is Format.SVG,
    )  # fmt: skip
    until = None if recorded_as_of is None else _moment(recorded_as_of, "--recorded-as-of")
    chosen = settings(database)
    with opened(chosen.database.url) as source, snapshot(source) as reading, ExitStack() as held:
        known: Snapshot = reading
        if until is not None:
            then = reading.ask(recorded, Around.lineage(question), until, chosen.lineage.max_entries)
            known = Past(held.enter_context(then))
        found = known.ask(walk.answer, question)
        jobs = known.ask(_job_names, found)
    format = Format.JSON if as_json else format
    if out is not None:
        _save(out, _text(found, jobs, question, until, format))
    elif format is Format.TREE:
        for branch in drawing.tree(found, jobs, question.direction):
            _tell_tree(branch)
        if found.truncated:
            tell(drawing.cut(found))
    else:
        tell(_text(found, jobs, question, until, format))
    if found.truncated:
        say(f"The answer is not whole: {found.truncated_by} cut it. Raise it, or ask for less --depth.")


def _text(found: Lineage, jobs: JobNames, question: Question, recorded: int | None, format: Format) -> str:
    import orjson

    from catalog import pictures
    from catalog.cli import drawing
    from catalog.domain.timeline import NOW

    match format:
        case Format.JSON:
            as_of = None if question.window == NOW else question.window.first
            return orjson.dumps(drawing.as_json(found, jobs, as_of, recorded), option=orjson.OPT_INDENT_2).decode()
        case Format.DOT:
            return drawing.as_dot(found, jobs)
        case Format.MERMAID:
            return drawing.as_mermaid(found, jobs)
        case Format.SVG:
            return pictures.svg(found, jobs, question.window, recorded=recorded).rstrip("\n")
        case Format.TREE:
            trees = map(drawing.indented, drawing.tree(found, jobs, question.direction))
            return "\n".join([*trees, *([drawing.cut(found)] if found.truncated else [])])


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise BadRequest(f"{path} cannot be written: {error.strerror}.") from error


def _tell_tree(branch: Branch) -> None:
    from catalog.cli.drawing import indented

    if not is_terminal():
        tell(indented(branch))
        return
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    top = Tree(Text(branch.text, style="bold"))
    waiting = [(branch, top)]
    while waiting:
        one, drawn = waiting.pop()
        for below in one.below:
            text, mark, how = below.text.partition("  # ")
            waiting.append((below, drawn.add(Text.assemble(text, (f"  # {how}" if mark else "", "dim")))))
    Console().print(top)


def _question(
    kind: Kind, names: tuple[str, str, str | None], *, direction: Way, depth: int, as_of: str | None,
    granularity: Grain | None, max_nodes: int, hidden: bool,
) -> Question:  # fmt: skip
    from catalog.domain.lineage import EntityRef, Question
    from catalog.domain.timeline import NOW, Window
    from catalog.domain.words import Direction, EntityKind, Granularity
    from catalog.facets import understood

    column = names[-1]
    if column is not None and kind is Kind.DATASET:
        kind = Kind.COLUMN
    if (column is not None) != (kind is Kind.COLUMN):
        raise typer.BadParameter("--column goes with a dataset or a column, and a column needs it.")
    if granularity is None:
        granularity = Grain.DATASET if kind is Kind.MODEL else Grain(kind.value)
    ways = {Way.UP: Direction.UPSTREAM, Way.DOWN: Direction.DOWNSTREAM, Way.BOTH: Direction.BOTH}
    at = None if as_of is None else _moment(as_of, "--as-of")
    return Question(
        of=(EntityRef(EntityKind[kind.name], *names),),
        direction=ways[direction],
        granularity=Granularity[granularity.name],
        depth=depth,
        window=NOW if at is None else Window(at, at),
        max_nodes=max_nodes,
        hidden=hidden,
        understand=understood,
    )


def _moment(text: str, option: str) -> int:
    from catalog.ingest.times import parse_time

    try:
        return parse_time(text).at
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from error


def _job_names(connection: Read, found: Lineage) -> JobNames:
    from catalog.store.read import jobs

    ids = {edge.job_id for edge in found.edges if edge.job_id is not None}
    return {id: (row.namespace, row.name) for id, row in jobs.by_ids(connection, ids).items()}

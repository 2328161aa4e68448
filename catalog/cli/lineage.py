"""`catalog lineage`: where data comes from and where it goes."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.console import is_terminal, say, tell, tell_json
from catalog.cli.databases import DatabaseOption, JsonOption, opened, settings

if TYPE_CHECKING:
    from catalog.cli.drawing import Branch, JobNames
    from catalog.domain.lineage import Lineage, Question
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
    granularity: Annotated[
        Grain | None, typer.Option("--granularity", help="Which nodes the answer is made of. Default: of that KIND.")
    ] = None,
    max_nodes: Annotated[int, typer.Option("--max-nodes", min=1, help="How many nodes at most.")] = 1_000,
    format: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TREE,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where data comes from and where it goes.

    Every line of the tree can be pasted behind `catalog lineage` to go on from there. DOT and Mermaid draw pictures:
    `--format dot | dot -Tsvg`.
    """
    from catalog.store import lineage as walk
    from catalog.store.read.snapshot import snapshot

    question = _question(
        kind, (namespace, name, column), direction=direction, depth=depth, as_of=as_of, granularity=granularity,
        max_nodes=max_nodes,
    )  # fmt: skip
    with opened(settings(database).database.url) as source, snapshot(source) as reading:
        found = reading.ask(walk.answer, question)
        jobs = reading.ask(_job_names, found)
    _tell(found, jobs, question, Format.JSON if as_json else format)


def _tell(found: Lineage, jobs: JobNames, question: Question, format: Format) -> None:
    from catalog.cli import drawing
    from catalog.domain.timeline import NOW

    match format:
        case Format.JSON:
            as_of = None if question.window == NOW else question.window.first
            tell_json(drawing.as_json(found, jobs, as_of))
        case Format.DOT:
            tell(drawing.as_dot(found, jobs))
        case Format.MERMAID:
            tell(drawing.as_mermaid(found, jobs))
        case Format.TREE:
            for branch in drawing.tree(found, jobs, question.direction):
                _tell_tree(branch)
            if found.truncated:
                tell(drawing.cut(found))
    if found.truncated:
        say(f"The answer is not whole: {found.truncated_by} cut it. Raise it, or ask for less --depth.")


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
    granularity: Grain | None, max_nodes: int,
) -> Question:  # fmt: skip
    from catalog.domain.lineage import EntityRef, Question
    from catalog.domain.timeline import NOW, Window
    from catalog.domain.words import Direction, EntityKind, Granularity

    column = names[-1]
    if column is not None and kind is Kind.DATASET:
        kind = Kind.COLUMN
    if (column is not None) != (kind is Kind.COLUMN):
        raise typer.BadParameter("--column goes with a dataset or a column, and a column needs it.")
    if granularity is None:
        granularity = Grain.DATASET if kind is Kind.MODEL else Grain(kind.value)
    ways = {Way.UP: Direction.UPSTREAM, Way.DOWN: Direction.DOWNSTREAM, Way.BOTH: Direction.BOTH}
    at = None if as_of is None else _moment(as_of)
    return Question(
        of=(EntityRef(EntityKind[kind.name], *names),),
        direction=ways[direction],
        granularity=Granularity[granularity.name],
        depth=depth,
        window=NOW if at is None else Window(at, at),
        max_nodes=max_nodes,
    )


def _moment(text: str) -> int:
    from catalog.ingest.times import parse_time

    try:
        return parse_time(text).at
    except ValueError as error:
        raise typer.BadParameter(f"--as-of: {error}") from error


def _job_names(connection: Read, found: Lineage) -> JobNames:
    from catalog.store.read import jobs

    ids = {edge.job_id for edge in found.edges if edge.job_id is not None}
    return {id: (row.namespace, row.name) for id, row in jobs.by_ids(connection, ids).items()}

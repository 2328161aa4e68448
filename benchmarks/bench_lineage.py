"""How fast lineage is answered, against the same walk over a dictionary in memory.

    python benchmarks/bench_lineage.py [--jobs 55000] [--edges 100000 1000000] [--database URL] [--times 15]

Two worlds, on SQLite and PostgreSQL. The first has the shape of Marquez issue 3058: 55,000 jobs, 115,000 edges, and
answers of about 76 nodes; the bar is 25 ms for the whole GraphQL operation within the process. The others have as
many edges as `--edges` says (the long form is `--edges 1000000 10000000`, which needs 16 GB of disk and an hour)
and answers of 100, 1,000 and 10,000 nodes: what a question costs grows with its answer, not with the graph around it.
The walk alone finds ids, edges and since when they hold; all of it also names, last runs and transformations.

Each question is asked `--times` times, in turns with the walk over the dictionary; medians are shown.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson
from measuring import Row, engine_name, engines, fresh, machine, opened, show
from worlds import BEFORE, World, check, issue_3058, load, of_edges

from catalog.api.graphql.schema import execute
from catalog.api.listening import settle
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.timeline import Window
from catalog.domain.words import Direction, EntityKind, Granularity
from catalog.store.engine import Database
from catalog.store.lineage import answer

Name = tuple[str, str]
Graph = Mapping[Name, Sequence[Name]]

OPERATION = """query ($of: [EntityRef!]!, $granularity: Granularity!) {
  lineage(of: $of, granularity: $granularity, depth: 50) {
    nodes { id kind namespace name depth tags owners }
    edges { source target derivation masked firstSeen lastSeen job { name } }
    truncated depthReached
  }
}"""
"""What a picture of lineage needs."""


@dataclass(frozen=True, slots=True)
class Timed:
    """Medians in seconds, and the size of the answer."""

    asked: float
    walked: float
    nodes: int
    edges: int


def adjacency(world: World, size: int, *, jobs: bool, downstream: bool) -> Graph:
    """From each dataset (and job) to those data goes to now, or comes from, in a domain of this size."""
    graph: dict[Name, list[Name]] = defaultdict(list)
    for pipe in world.around(size):
        job, output = (pipe.space, f"job {pipe.name}"), (pipe.space, pipe.output)
        inputs = [(pipe.space, name) for name in pipe.inputs]
        for source, target in (
            [*((source, job) for source in inputs), (job, output)] if jobs else [(source, output) for source in inputs]
        ):
            near, far = (source, target) if downstream else (target, source)
            graph[near].append(far)
    return graph


def walk(graph: Graph, root: Name, depth: int) -> tuple[dict[Name, int], list[tuple[Name, Name]]]:
    """Nodes with their depth, and the edges between them, breadth first."""
    found = {root: 0}
    edges: list[tuple[Name, Name]] = []
    frontier = [root]
    for level in range(1, depth + 1):
        following = []
        for near in frontier:
            for far in graph.get(near, ()):
                edges.append((near, far))
                if far not in found:
                    found[far] = level
                    following.append(far)
        frontier = following
        if not frontier:
            break
    return found, edges


def in_turns(times: int, *calls: Callable[[], object]) -> list[float]:
    """The median time of each call, in seconds, after one round that does not count."""
    # As a server does. The dictionaries to compare with are some million objects, of which a service has none: they
    # are kept out of the garbage collection of what is measured.
    settle()
    took: list[list[float]] = [[] for _ in calls]
    for turn in range(times + 1):
        for call, mine in zip(calls, took, strict=True):
            began = time.perf_counter()
            call()
            if turn:
                mine.append(time.perf_counter() - began)
    return [statistics.median(mine) for mine in took]


_NO_MORE = {"transformations": False, "last_runs": False, "first_seen": False}


def question(root: Name, granularity: Granularity = Granularity.DATASET) -> Question:
    """Everything before and behind a dataset, now."""
    of = EntityRef(EntityKind.DATASET, *root)
    return Question((of,), granularity=granularity, depth=50, max_nodes=20_000)


def ask(database: Database, asked: Question) -> tuple[int, int]:
    """What the store answers, in a transaction of its own as each request has."""
    with database.read() as connection:
        found = answer(connection, asked)
    return len(found.nodes), len(found.edges)


def of_issue_3058(database: Database, world: World, times: int) -> Iterator[Row]:
    """76 nodes, as datasets alone and as datasets and jobs."""
    for granularity, size in ((Granularity.DATASET, 76), (Granularity.JOB, 38)):
        root = world.middle(size)
        jobs = granularity is Granularity.JOB
        ways = [adjacency(world, size, jobs=jobs, downstream=downstream) for downstream in (True, False)]
        asked = question(root, granularity)
        variables = {
            "of": [{"kind": "DATASET", "namespace": root[0], "name": root[1]}], "granularity": granularity.value
        }  # fmt: skip
        operation, store, walked = in_turns(
            times,
            lambda variables=variables: orjson.dumps(execute(database, OPERATION, variables).data),
            lambda asked=asked: ask(database, asked),
            lambda ways=ways, root=root: [walk(way, root, 50) for way in ways],
        )
        nodes, edges = ask(database, asked)
        yield (
            engine_name(str(database.url)), granularity.value, str(nodes), str(edges), f"{operation * 1e3:.1f}",
            f"{store * 1e3:.1f}", f"{walked * 1e3:.2f}", f"{store / walked:.0f}",
        )  # fmt: skip


def of_sizes(database: Database, world: World, times: int) -> Iterator[Row]:
    """100, 1,000 and 10,000 nodes; the middle one at other moments and ways too."""
    name = engine_name(str(database.url))
    edges = f"{sum(len(pipe.inputs) + 1 for pipe in world.pipes()):,}"

    def both(size: int, *, jobs: bool) -> list[Graph]:
        return [adjacency(world, size, jobs=jobs, downstream=downstream) for downstream in (True, False)]

    def row(what: str, asked: Question, graphs: Sequence[Graph]) -> Row:
        root = (asked.of[0].namespace, asked.of[0].name)
        store, walked = in_turns(
            times, lambda: ask(database, asked), lambda: [walk(graph, root, asked.depth) for graph in graphs]
        )
        nodes, found = ask(database, asked)
        return (
            name, edges, what, str(nodes), str(found), f"{store * 1e3:.1f}", f"{store / nodes * 1e6:.0f}",
            f"{walked * 1e3:.2f}", f"{store / walked:.0f}",
        )  # fmt: skip

    for size in (100, 1_000, 10_000):
        everything = question(world.middle(size))
        yield row("now", everything, both(size, jobs=False))
        yield row("now, walk alone", replace(everything, names=False, **_NO_MORE), both(size, jobs=False))
    ways = both(1_000, jobs=False)
    middling = question(world.middle(1_000))
    yield row("upstream", replace(middling, direction=Direction.UPSTREAM), ways[1:])
    yield row("asOf", replace(middling, window=Window(BEFORE, BEFORE)), ways)
    yield row("during", replace(middling, window=Window(BEFORE, BEFORE + 2 * 86_400_000_000)), ways)
    yield row("jobs", question(world.middle(1_000), Granularity.JOB), both(1_000, jobs=True))


def main() -> None:
    """Read the arguments, make the worlds, ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="an empty database; without it both engines, with databases of their own")
    parser.add_argument("--jobs", type=int, default=55_000, help="of the shape of issue 3058; 0 leaves it out")
    parser.add_argument("--edges", type=int, nargs="*", default=[100_000])
    parser.add_argument("--times", type=int, default=15)
    arguments = parser.parse_args()
    print(machine())
    shaped: list[Row] = []
    grown: list[Row] = []
    with engines(arguments.database) as urls:
        for url in urls:
            check(url)
            for edges in [0] * bool(arguments.jobs) + arguments.edges:
                with fresh(url) as empty, opened(empty) as database:
                    world = of_edges(edges) if edges else issue_3058(arguments.jobs)
                    load(database, world)
                    if edges:
                        grown += of_sizes(database, world, arguments.times)
                    else:
                        shaped += of_issue_3058(database, world, arguments.times)
    head = ("engine", "granularity", "nodes", "edges", "GraphQL ms", "store ms", "dictionary ms", "store / dictionary")
    show(head, shaped)
    print()
    head = ("engine", "graph", "question", "nodes", "edges", "ms", "us a node", "dictionary ms", "ratio")
    show(head, grown)


if __name__ == "__main__":
    main()

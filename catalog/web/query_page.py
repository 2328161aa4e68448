"""The page to try GraphQL on: a query, its variables, the answer, examples, and the schema to read."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import Final


@dataclass(frozen=True, slots=True)
class Example:
    """A query to begin with. Its variables name things of the demo."""

    title: str
    query: str
    variables: str = ""


EXAMPLES: Final = (
    Example(
        "Which datasets are there?",
        """\
{
  datasets(first: 20) {
    totalCount
    pageInfo { hasNextPage endCursor }
    edges {
      node {
        namespace
        name
        type
        tags { key value }
        owners { name }
        producers { name }
      }
    }
  }
}
""",
    ),
    Example(
        "Where does a dataset come from?",
        """\
query Lineage($of: [EntityRef!]!, $asOf: DateTime) {
  lineage(of: $of, direction: UPSTREAM, depth: 5, asOf: $asOf) {
    truncated
    nodes { id kind namespace name depth hiddenUpstream }
    edges { source target derivation job { name } lastSeen }
  }
}
""",
        """\
{
  "of": [{ "kind": "DATASET", "namespace": "snowflake://harbour-eu", "name": "lending.scoring.scores" }],
  "asOf": "2026-10-19T12:00:00Z"
}
""",
    ),
    Example(
        "Which columns hold personal data?",
        """\
{
  datasets(filter: { tag: "pii" }, first: 20) {
    edges {
      node {
        namespace
        name
        owners { name }
        fields { name tags { key value } }
      }
    }
  }
}
""",
    ),
    Example(
        "What failed lately?",
        """\
{
  runs(filter: { state: [FAIL] }, first: 20) {
    edges {
      node {
        runId
        startedAt
        endedAt
        job { namespace name }
        error { message }
      }
    }
  }
}
""",
    ),
    Example(
        "Which columns did a dataset have, and when?",
        """\
query Schema($namespace: String!, $name: String!) {
  dataset(namespace: $namespace, name: $name) {
    description
    schemaHistory {
      validFrom
      validTo
      fields { name type tags { key } }
    }
  }
}
""",
        """\
{
  "namespace": "snowflake://harbour-eu",
  "name": "lending.staging.applications"
}
""",
    ),
    Example(
        "What was sent and refused?",
        """\
{
  quarantine(first: 20) {
    totalCount
    edges { node { receivedAt source reason pointer preview } }
  }
}
""",
    ),
)


def query_page(schema: str) -> dict[str, tuple[str, bytes]]:
    """The files of the page: media type and content by path; the page itself is at "".

    Args:
        schema: the printed schema, which the page shows.
    """
    buttons = "\n".join(
        f'<button type="button" data-query="{escape(e.query)}" data-variables="{escape(e.variables)}">'
        f"{escape(e.title)}</button>"
        for e in EXAMPLES
    )
    first = EXAMPLES[0]
    page = Template(_read("templates/query.html")).substitute(
        examples=buttons, schema=escape(schema), query=escape(first.query), variables=escape(first.variables)
    )
    return {
        "": ("text/html; charset=utf-8", page.encode()),
        "/query.js": ("text/javascript; charset=utf-8", _read("static/query.js").encode()),
        "/query.css": ("text/css; charset=utf-8", _read("static/query.css").encode()),
    }


def _read(path: str) -> str:
    return files("catalog.web").joinpath(path).read_text(encoding="utf-8")

"""Build a small shop on DuckDB with dbt-ol, then build it once more with a model that fails.

Example: `python integrations/sandbox.py dbt --url http://127.0.0.1:8180 --consume-structured-logs`.
"""

import argparse
import os
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parent / "shop"
BROKEN = ["--select", "mart_refunds", "--vars", "{broken: true}"]
FAILED = 1
"""Exit code of dbt when a model failed; 2 means that dbt itself did."""


def settings(url: str) -> dict[str, str]:
    """What `catalog connect dbt --namespace dbt-shop` prints as variables."""
    return {"OPENLINEAGE_URL": url, "OPENLINEAGE_NAMESPACE": "dbt-shop"}


def dbt(url: str, *words: str, expected: int = 0) -> None:
    """Run one dbt command and let dbt-ol report it.

    Args:
        url: Base URL of the catalog.
        words: The command with its options.
        expected: Exit code that dbt should end with.

    Raises:
        RuntimeError: It ended otherwise.
    """
    variables = {
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        **settings(url),
    }
    command = ["dbt-ol", *words]
    done = subprocess.run(command, cwd=PROJECT, env=os.environ | variables, check=False)  # noqa: S603  our own words
    if done.returncode != expected:
        raise RuntimeError(f"`{' '.join(command)}` ended with {done.returncode}, not {expected}")


def main() -> None:
    """Run the commands of one mode of dbt-ol."""
    parser = argparse.ArgumentParser(description="Run a small dbt project and report it to a catalog.")
    parser.add_argument("--url", default="http://127.0.0.1:8180", help="base URL of the catalog")
    parser.add_argument(
        "--consume-structured-logs",
        action="store_true",
        help="report while dbt runs, every statement, instead of every model at the end",
    )
    arguments = parser.parse_args()
    mode = ["--consume-structured-logs"] if arguments.consume_structured_logs else []
    for command in ("seed", "run"):
        dbt(arguments.url, command, *mode)
    dbt(arguments.url, "test", *mode, expected=FAILED)
    dbt(arguments.url, "run", *BROKEN, *mode, expected=FAILED)


if __name__ == "__main__":
    main()

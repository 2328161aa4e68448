"""Run one day of a small DAG whose last task fails, and let Airflow's OpenLineage provider report it.

Example: `python integrations/sandbox.py airflow --url http://127.0.0.1:8180`.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
DAG = "shop_nightly"
DAY = "2026-11-20T02:00:00+00:00"
FAILED = 1
"""Exit code of `airflow dags test` when the DAG run failed."""


def airflow(url: str, *words: str, expected: int = 0) -> None:
    """Run one Airflow command.

    Args:
        url: Base URL of the catalog.
        words: The command with its options.
        expected: Exit code that Airflow should end with.

    Raises:
        RuntimeError: It ended otherwise.
    """
    variables = {
        "AIRFLOW_HOME": str(HERE / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "airflow-shop",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "http", "url": url}),
    }
    command = ["airflow", *words]
    done = subprocess.run(command, env=os.environ | variables, check=False)  # noqa: S603  our own words
    if done.returncode != expected:
        raise RuntimeError(f"`{' '.join(command)}` ended with {done.returncode}, not {expected}")


def main() -> None:
    """Make Airflow's database, then run the DAG for one day."""
    parser = argparse.ArgumentParser(description="Run a small Airflow DAG and report it to a catalog.")
    parser.add_argument("--url", default="http://127.0.0.1:8180", help="base URL of the catalog")
    url = parser.parse_args().url
    airflow(url, "db", "migrate")
    airflow(url, "dags", "test", DAG, DAY, expected=FAILED)


if __name__ == "__main__":
    main()

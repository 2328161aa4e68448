"""Run a small Spark job whose last step fails, and let the OpenLineage listener report it.

Example: `python integrations/sandbox.py spark --url http://127.0.0.1:8180`.
Needs Java 17, and fetches the listener from Maven Central.
"""

import argparse
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
LISTENER = "io.openlineage:openlineage-spark_2.13:1.53.0"
FAILED = 1
"""Exit code of `spark-submit` when the program ended with an exception."""

QUIET = {"spark.ui.enabled": "false", "spark.sql.warehouse.dir": str(HERE / "lake" / "warehouse")}
"""What has nothing to do with lineage: no web pages, and no files outside of this folder."""


def settings(url: str) -> dict[str, str]:
    """What `catalog connect spark --namespace spark-shop` prints as `--conf`."""
    return {
        "spark.jars.packages": LISTENER,
        "spark.extraListeners": "io.openlineage.spark.agent.OpenLineageSparkListener",
        "spark.openlineage.transport.type": "http",
        "spark.openlineage.transport.url": url,
        "spark.openlineage.namespace": "spark-shop",
    }


def composite(url: str, copy: Path) -> dict[str, str]:
    """The same by the composite transport, with a copy of every event in a file."""
    transports = {
        "http.type": "http",
        "http.url": url,
        "copy.type": "file",
        "copy.location": str(copy),
    }
    several = {f"spark.openlineage.transport.transports.{name}": value for name, value in transports.items()}
    one = {name: value for name, value in settings(url).items() if not name.endswith("transport.url")}
    return one | several | {"spark.openlineage.transport.type": "composite"}


def submit(chosen: Mapping[str, str], *steps: str, expected: int = 0) -> None:
    """Run some steps of the job in one Spark application.

    Args:
        chosen: Settings of Spark, as for `--conf`.
        steps: Names of functions in `job.py`.
        expected: Exit code that `spark-submit` should end with.

    Raises:
        RuntimeError: It ended otherwise.
    """
    options = [word for name, value in {**QUIET, **chosen}.items() for word in ("--conf", f"{name}={value}")]
    command = ["spark-submit", "--master", "local[1]", *options, str(HERE / "job.py"), *steps]
    # Else the events name the machine's address.
    variables = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
    done = subprocess.run(command, cwd=HERE, env=variables, check=False)  # noqa: S603  our own words
    if done.returncode != expected:
        raise RuntimeError(f"`{' '.join(command)}` ended with {done.returncode}, not {expected}")


def main() -> None:
    """All steps by http, or the first one by the composite transport."""
    parser = argparse.ArgumentParser(description="Run a small Spark job and report it to a catalog.")
    parser.add_argument("--url", default="http://127.0.0.1:8180", help="base URL of the catalog")
    parser.add_argument("--transport", choices=("http", "composite"), default="http")
    arguments = parser.parse_args()
    shutil.rmtree(HERE / "lake", ignore_errors=True)  # a table can be made only once
    if arguments.transport == "http":
        submit(settings(arguments.url), "orders", "revenue", "contacts", "shares", expected=FAILED)
        return
    copy = HERE / "lake" / "events.ndjson"
    copy.parent.mkdir()
    submit(composite(arguments.url, copy), "orders")
    print(f"{len(copy.read_text('utf-8').splitlines())} events in the copy")


if __name__ == "__main__":
    main()

"""Run two small DAGs, of which one fails, and let Airflow's OpenLineage provider report them.

Example: `python integrations/sandbox.py airflow --url http://127.0.0.1:8180`.

By a whole Airflow (`airflow standalone`), not by `airflow dags test`: that runs all tasks in one process, in which the
provider takes the files of one task for those of the next, and it leaves out the START of the DAG.
"""

import argparse
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE / "home"
DAY = "2026-11-20T02:00:00+00:00"
EXPECTED = {"shop_nightly": "failed", "shop_reports": "success"}
"""How each DAG run ends. The second is started by the asset that a task of the first updates."""

PATIENCE_SECONDS = 300
SETTLING_SECONDS = 5

STARTED_BY = {
    "parentJobNamespace": "cron",
    "parentJobName": "shop-night",
    "parentRunId": "019a9f0e-2a00-7000-8000-000000000001",
    "rootParentJobNamespace": "cron",
    "rootParentJobName": "shop-night",
    "rootParentRunId": "019a9f0e-2a00-7000-8000-000000000001",
}
"""Who started the first DAG, as any program may say that starts one."""


def settings(url: str) -> dict[str, str]:
    """What `catalog connect airflow --namespace airflow-shop` prints as variables."""
    return {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "http", "url": url}),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "airflow-shop",
    }


def variables(url: str) -> dict[str, str]:
    """The environment of every Airflow command."""
    port = _free_port()
    own = {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW_CONN_SHOP_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": str(HOME / "shop.db")}),
    }
    return os.environ | own | settings(url)


@contextmanager
def standalone(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A whole Airflow: scheduler, DAG processor, API server, triggerer; ended with everything it started."""
    command = ["airflow", "standalone"]
    whole = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603  our own words
    try:
        yield whole
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(whole.pid, number)
                whole.wait(timeout=20)


def wait_for(airflow: subprocess.Popen[bytes], query: str, wanted: dict[str, str]) -> None:
    """Wait until Airflow's own database answers a query as wanted.

    Read directly: every `airflow` command takes ten seconds to start.

    Raises:
        RuntimeError: It does not, within `PATIENCE_SECONDS`, or Airflow has ended.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    found: dict[str, str] = {}
    while time.monotonic() < until and airflow.poll() is None:
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(HOME / "airflow.db")) as database:
            found = dict(database.execute(query).fetchall())
            if found == wanted:
                return
        time.sleep(1)
    raise RuntimeError(f"{query}: {found}, not {wanted}")


def _free_port() -> int:
    with socket.socket() as any_free:
        any_free.bind(("127.0.0.1", 0))
        return int(any_free.getsockname()[1])


def main() -> None:
    """Start Airflow, trigger the first DAG, and wait for both."""
    parser = argparse.ArgumentParser(description="Run two small Airflow DAGs and report them to a catalog.")
    parser.add_argument("--url", default="http://127.0.0.1:8180", help="base URL of the catalog")
    environment = variables(parser.parse_args().url)
    HOME.mkdir(exist_ok=True)
    conf = json.dumps({"openlineage": STARTED_BY})
    trigger = ["airflow", "dags", "trigger", "shop_nightly", "--logical-date", DAY, "--conf", conf]
    with standalone(environment) as airflow:
        known = dict.fromkeys(EXPECTED, 0)
        wait_for(airflow, "SELECT dag_id, is_paused FROM dag", known)
        subprocess.run(trigger, env=environment, check=True)  # noqa: S603  as above
        wait_for(airflow, "SELECT dag_id, state FROM dag_run", EXPECTED)
        time.sleep(SETTLING_SECONDS)  # the last events are sent after the state is written


if __name__ == "__main__":
    main()

"""What each producer has to be told so that it sends here: as data, and as lines to paste into a shell.

The lines are a program of the shell from the first to the last: what is not to be run stands in comments. They are
known to be right because `integrations/` and the tests run the producers with the same settings: all but Flink,
which nobody has run here.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Final

Settings = dict[str, object]

LISTENER_VERSION: Final = "1.53.0"
_SPARK: Final = f"io.openlineage:openlineage-spark_2.13:{LISTENER_VERSION}"
_FLINK: Final = f"io.openlineage:openlineage-flink:{LISTENER_VERSION}"


class Producer(Enum):
    """What can be connected; the values are what people write."""

    AIRFLOW = "airflow"
    SPARK = "spark"
    DBT = "dbt"
    FLINK = "flink"
    PYTHON = "python"


def settings(producer: Producer, url: str, namespace: str, key: str | None = None) -> Settings:
    """The settings, by the names the producer has for them.

    Variables of the environment for Airflow and dbt, properties for Spark and Flink, and the content of
    `openlineage.yml` for Python.

    Args:
        producer: For whom.
        url: The base URL of the server.
        namespace: That of the jobs.
        key: What the server is to be shown; None for a server without keys.
    """
    return _SETTINGS[producer](url, namespace, key)


def lines(producer: Producer, url: str, namespace: str, key: str | None = None) -> str:
    """The same for people: what to paste, and where."""
    return "\n".join(_LINES[producer](settings(producer, url, namespace, key), namespace))


# Settings.


def _airflow(url: str, namespace: str, key: str | None) -> Settings:
    return {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(_transport(url, key)),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": namespace,
    }


def _spark(url: str, namespace: str, key: str | None) -> Settings:
    return {
        "spark.jars.packages": _SPARK,
        "spark.extraListeners": "io.openlineage.spark.agent.OpenLineageSparkListener",
        **_flat("spark.openlineage.transport", _transport(url, key)),
        "spark.openlineage.namespace": namespace,
    }


def _dbt(url: str, namespace: str, key: str | None) -> Settings:
    shown: Settings = {} if key is None else {"OPENLINEAGE_API_KEY": key}
    return {"OPENLINEAGE_URL": url, "OPENLINEAGE_NAMESPACE": namespace} | shown


def _flink(url: str, namespace: str, key: str | None) -> Settings:
    factory = "io.openlineage.flink.listener.OpenLineageJobStatusChangedListenerFactory"
    return {
        "execution.job-status-changed-listeners": factory,
        "execution.attached": "true",
        **_flat("openlineage.transport", _transport(url, key)),
        "openlineage.job.namespace": namespace,
    }


def _python(url: str, _namespace: str, key: str | None) -> Settings:
    return {"transport": _transport(url, key)}


def _transport(url: str, key: str | None) -> Settings:
    shown: Settings = {} if key is None else {"auth": {"type": "api_key", "apiKey": key}}
    return {"type": "http", "url": url} | shown


def _flat(name: str, value: object) -> Settings:
    """Nested settings as properties: {"a": {"b": 1}} below `x` is `x.a.b`."""
    if not isinstance(value, Mapping):
        return {name: str(value)}
    return {path: leaf for key, below in value.items() for path, leaf in _flat(f"{name}.{key}", below).items()}


# Lines.


def _airflow_lines(chosen: Settings, _namespace: str) -> Iterator[str]:
    yield "# pip install apache-airflow-providers-openlineage"
    yield "# In the environment of every part of Airflow (scheduler, workers, triggerer, API server):"
    yield from _exports(chosen)
    yield "# Or in airflow.cfg:"
    yield "# [openlineage]"
    for name, value in chosen.items():
        yield f"# {name.rpartition('__')[2].lower()} = {value}"


def _spark_lines(chosen: Settings, _namespace: str) -> Iterator[str]:
    yield "# For Scala 2.12 write _2.12 for _2.13. The same lines without --conf go into spark-defaults.conf."
    yield from _submission(chosen, "spark-defaults.conf", "spark-submit", "--conf", "job.py")


def _dbt_lines(chosen: Settings, _namespace: str) -> Iterator[str]:
    yield "# pip install openlineage-dbt"
    yield from _exports(chosen)
    yield "# Then write dbt-ol for dbt; with --consume-structured-logs it reports while dbt runs, not at the end."
    yield "dbt-ol run"


def _flink_lines(chosen: Settings, _namespace: str) -> Iterator[str]:
    yield f"# Flink 2: put the jar of {_FLINK} into lib/, and let jobs be attached, else nobody sees how they end."
    yield "# The same as NAME: VALUE goes into conf/config.yaml."
    yield from _submission(chosen, "conf/config.yaml", "flink run", "-D", "job.jar")


def _submission(chosen: Settings, file: str, command: str, option: str, program: str) -> Iterator[str]:
    yield from _warning(chosen, file)
    yield f"{command} \\"
    for name, value in chosen.items():
        yield f"  {option} {shlex.quote(f'{name}={value}')} \\"
    yield f"  {program}"


def _python_lines(chosen: Settings, namespace: str) -> Iterator[str]:
    yield "# pip install openlineage-python"
    yield "# The client reads openlineage.yml in the working directory, or the file that OPENLINEAGE_CONFIG names."
    yield "cat > openlineage.yml <<'END'"
    yield from _yaml(chosen)
    yield "END"
    yield "python - <<'END'"
    yield from _PROGRAM.replace("NAMESPACE", json.dumps(namespace)).splitlines()
    yield "END"


_PROGRAM: Final = """\
from datetime import UTC, datetime

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.uuid import generate_new_uuid

client = OpenLineageClient()
run, job = Run(str(generate_new_uuid())), Job(NAMESPACE, "hello")
for state in (RunState.START, RunState.COMPLETE):
    now = datetime.now(UTC).isoformat()
    client.emit(RunEvent(eventTime=now, eventType=state, run=run, job=job, producer="https://example.com/hello"))
client.close()
"""


def _exports(chosen: Settings) -> Iterator[str]:
    for name, value in chosen.items():
        yield f"export {name}={shlex.quote(str(value))}"


def _warning(chosen: Settings, file: str) -> Iterator[str]:
    if any(name.endswith(".apiKey") for name in chosen):
        yield f"# Whoever may list processes on that machine can read the key: better write that line into {file}."


def _yaml(value: Mapping[str, object], indent: str = "") -> Iterator[str]:
    """Nested mappings as YAML; every text quoted as in JSON, which YAML reads too."""
    for key, below in value.items():
        if isinstance(below, Mapping):
            yield f"{indent}{key}:"
            yield from _yaml(below, f"{indent}  ")
        else:
            yield f"{indent}{key}: {json.dumps(below)}"


_SETTINGS: Final[Mapping[Producer, Callable[[str, str, str | None], Settings]]] = {
    Producer.AIRFLOW: _airflow,
    Producer.SPARK: _spark,
    Producer.DBT: _dbt,
    Producer.FLINK: _flink,
    Producer.PYTHON: _python,
}

_LINES: Final[Mapping[Producer, Callable[[Settings, str], Iterator[str]]]] = {
    Producer.AIRFLOW: _airflow_lines,
    Producer.SPARK: _spark_lines,
    Producer.DBT: _dbt_lines,
    Producer.FLINK: _flink_lines,
    Producer.PYTHON: _python_lines,
}

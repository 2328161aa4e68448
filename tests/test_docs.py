"""The documentation is true: its commands run, its answers are those shown, its links lead somewhere.

`docs/README.md` says what the blocks of a page mean. A page is run from top to bottom in a directory of its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import orjson
import pytest
from graphql import build_schema, parse, validate

import warm
from catalog.api.graphql.schema import execute
from catalog.store.engine import Database

ROOT: Final = Path(__file__).parents[1]
EVENTS: Final = Path("tests", "events")
VENV: Final = Path(sys.prefix)

KINDS: Final = {"console", "sh", "python", "graphql", "json", "text", "mermaid", "ini", "yaml", "nginx"}

SERVER: Final = "127.0.0.1:8180"
POSTGRES: Final = "postgresql://catalog@localhost/catalog"

EVERY_PAGE: Final = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith((".", "node_modules")) for part in path.relative_to(ROOT).parts)
)
DOCS: Final = [path for path in EVERY_PAGE if path.is_relative_to(ROOT / "docs")]
RUN: Final = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]

ASKS_THE_DEMO: Final = {
    "README.md", "docs/how-to/ask-about-lineage.md", "docs/how-to/pictures.md", "docs/reference/demo.md",
    "docs/reference/graphql.md",
}  # fmt: skip
"""Pages whose reader has begun with `make run`: their directory begins with a catalog of `catalog demo`."""

NOT_RUN: Final = {
    ("README.md", "make run     # installs, loads"): "tests/acceptance/test_make_run.py runs it",
    ("README.md", "export OPENLINEAGE_URL=http"): "is for a shell of the reader's own",
    ("CONTRIBUTING.md", "$ make test"): "is what runs this test",
    ("docs/tutorial/first-lineage.md", "python3 -m venv .venv"): "installs from the network; the tests have done it",
    ("docs/how-to/keys.md", "export OPENLINEAGE_URL=http"): "is for a shell of the reader's own",
    ("docs/how-to/kafka.md", "pip install"): "needs a broker; tests/cli/test_consume.py has one",
    ("docs/how-to/kafka.md", "catalog consume kafka --bootstrap broker:9092 --topic openlineage --u"): "the same",
    ("docs/how-to/kafka.md", "catalog consume kafka --bootstrap broker:9093"): "the same",
    ("docs/how-to/postgresql.md", "createuser --pwprompt catalog"): "needs the superuser of the reader's server",
    ("docs/how-to/deploy.md", "sudo python3 -m venv"): "needs systemd; tests/test_deploy.py reads the unit",
    ("docs/how-to/deploy.md", "sudo systemd-run"): "needs systemd",
    ("docs/how-to/deploy.md", "docker build --file"): "needs Docker; tests/test_deploy.py reads the file",
    ("docs/how-to/deploy.md", "cd integrations/deploy"): "needs Docker; tests/test_deploy.py reads the file",
    ("docs/how-to/back-up.md", "pg_dump --format=custom"): "needs PostgreSQL's client programs",
}
"""Blocks of shell that no test can run, each by its beginning, and why."""

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\[\]]*\]\((?P<target>[^()\s]+)\)")
_STARTED = re.compile(r"http://(?P<where>127\.0\.0\.1:[0-9]+)")


@dataclass(frozen=True)
class Block:
    """A fenced block: ```LANGUAGE WORDS."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """What stands behind `$ ` and `> `, and the lines below it."""

    text: str
    shown: tuple[str, ...]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        language, *words = fence["info"].split() or [""]
        line = text.count("\n", 0, fence.start()) + 1
        found.append(Block(page, line, language, tuple(words), fence["text"]))
    return found


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block. Blank lines in an answer are not compared."""
    text, shown = "", []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if text:
                yield Command(text, tuple(shown))
            text, shown = line[2:], []
        elif line.startswith("> "):
            text += f"\n{line[2:]}"
        elif line.strip():
            shown.append(line)
    assert text, f"{block} has no command"
    yield Command(text, tuple(shown))


def missing(shown: Sequence[str], output: str) -> list[str]:
    """The lines shown that `output` does not have, in their order. `…` is any text, and blanks are alike."""
    lines = iter([" ".join(line.split()) for line in output.splitlines()])
    absent = []
    for line in shown:
        pattern = re.compile(".*".join(re.escape(part) for part in " ".join(line.split()).split("…")))
        if not any(pattern.fullmatch(candidate) for candidate in lines):
            absent.append(line)
    return absent


class Reader:
    """Somebody who does what a page says, in a directory of its own. Exports last from command to command."""

    def __init__(self, folder: Path, known: dict[str, str], found_in: Path) -> None:
        """`known` is what pages write, and what it is here; commands are looked for in `found_in` first."""
        self.folder = folder / "checkout"
        self.folder.mkdir()
        self.exports = folder / "exports"
        self.known = known
        self.servers: list[subprocess.Popen[str]] = []
        (self.folder / EVENTS.parent).mkdir()
        (self.folder / EVENTS).symlink_to(ROOT / EVENTS)
        (self.folder / ".venv").symlink_to(VENV)
        # PYTHON…: a setting that keeps Python from storing what it has compiled makes every command slow.
        foreign = ("CATALOG_", "OPENLINEAGE_", "PYTHON")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        path = f"{found_in}:{VENV / 'bin'}:{os.environ['PATH']}"
        self.environ = kept | {"PATH": path, "HOME": str(folder), "NO_PROXY": "*", "no_proxy": "*"}

    def close(self) -> None:
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            server.communicate(timeout=15)

    def shell(self, text: str) -> list[str]:
        before = f". '{self.exports}'\n" if self.exports.exists() else ""
        return ["bash", "-e", "-o", "pipefail", "-c", f"{before}{self.here(text)}\nexport -p > '{self.exports}'"]

    def here(self, text: str) -> str:
        for written, meant in self.known.items():
            text = text.replace(written, meant)
        return text

    def written(self, output: str) -> str:
        for written, meant in self.known.items():
            output = output.replace(meant, written)
        return output

    def run(self, command: Command, where: Block) -> None:
        done = subprocess.run(  # noqa: S603 - what our own pages say
            self.shell(command.text),
            cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        said = f"{where}: $ {command.text}\n{done.stdout}"
        assert done.returncode == 0, said
        assert missing(command.shown, self.written(done.stdout)) == [], said

    def serve(self, command: Command, where: Block) -> None:
        """Start a server, and read what it says until it has said all that is shown."""
        server = subprocess.Popen(  # noqa: S603 - as above
            self.shell(f"exec {command.text}"),
            cwd=self.folder, env=self.environ | {"CATALOG_PORT": "0"}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.servers.append(server)
        assert server.stdout is not None
        said = ""
        while SERVER not in self.known or missing(command.shown, self.written(said)):
            line = server.stdout.readline()
            assert line, f"{where}: $ {command.text}\n{said}"
            said += line
            if found := _STARTED.search(line):
                self.known[SERVER] = found["where"]

    def run_python(self, block: Block) -> None:
        program = self.here(block.text)
        done = subprocess.run(  # noqa: S603 - as above
            [sys.executable, "-c", program],
            cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}"

    def ask(self, block: Block) -> Any:
        """The answer to a GraphQL block, from the catalog of this directory."""
        document = parse(block.text)
        assert validate(build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8")), document) == [], block
        database = Database(f"sqlite:///{self.folder / 'catalog.db'}")
        try:
            result = execute(database, block.text)
        finally:
            database.close()
        assert result.errors is None, f"{block}: {result.errors}"
        said: dict[str, Any] = json.loads(orjson.dumps(result.data))
        assert None not in said.values(), f"{block} asks for what is not there"
        return said


def values(text: str) -> list[Any]:
    """The JSON values in a text, one after another."""
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


def follow(page: Path, reader: Reader) -> None:
    """Do everything a page says."""
    answer: Any = None
    for block in blocks(page):
        asked, answer = answer, None
        match block.language:
            case "console" if why_not_run(block) is None:
                act = reader.serve if "background" in block.words else reader.run
                for command in commands(block):
                    act(command, block)
            case "python":
                reader.run_python(block)
            case "graphql":
                answer = reader.ask(block)
            case "json":
                said = values(block.text)
                if block.words:
                    (reader.folder / block.words[0]).write_text(block.text, encoding="utf-8")
                elif asked is not None:
                    assert said == [{"data": asked}], f"{block}: the answer is {json.dumps(asked)}"


def why_not_run(block: Block) -> str | None:
    beginnings = [(beginning, why) for (page, beginning), why in NOT_RUN.items() if page == name_of(block.page)]
    return next((why for beginning, why in beginnings if block.text.startswith(beginning)), None)


@pytest.fixture(scope="session")
def told(demo_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of the demo, in a file of its own."""
    return Path(shutil.copyfile(demo_file, tmp_path_factory.mktemp("demo") / "catalog.db"))


@pytest.fixture(scope="session")
def warm_commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with warm.commands(tmp_path_factory.mktemp("commands")) as folder:
        yield folder


@pytest.mark.parametrize("page", [page for page in RUN if blocks(page)], ids=name_of)
def test_what_a_page_says_can_be_done_and_answers_as_it_shows(
    page: Path, tmp_path: Path, warm_commands: Path, request: pytest.FixtureRequest
):
    text = page.read_text(encoding="utf-8")
    if "$ curl " in text and shutil.which("curl") is None:
        pytest.skip("There is no curl on this machine, and who reads this page needs one.")
    with ExitStack() as stack:
        known = {}
        if f"={POSTGRES}" in text:
            new_url = request.getfixturevalue("new_postgres_url")
            known[POSTGRES] = shlex.quote(stack.enter_context(new_url(migrated=False)))
        reader = Reader(tmp_path, known, warm_commands)
        stack.callback(reader.close)
        if name_of(page) in ASKS_THE_DEMO:
            shutil.copyfile(request.getfixturevalue("told"), reader.folder / "catalog.db")
        follow(page, reader)


def test_the_picture_of_the_first_page_is_what_the_command_below_it_draws(told: Path):
    page = ROOT / "README.md"
    (picture,) = (block for block in blocks(page) if block.language == "mermaid")
    command = re.search(r"`catalog (lineage [^`]+)`", page.read_text(encoding="utf-8"))
    assert command
    drawing = [sys.executable, "-m", "catalog", *command[1].split()]
    drawn = subprocess.run(drawing, cwd=told.parent, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    assert picture.text == drawn.stdout


@pytest.mark.parametrize(
    ("shown", "output"),
    [(["accepted 3"], "outcome\tevents\naccepted\t3\n"), (["a … c"], "a b c"), (["one", "two"], "one\nand\ntwo\n")],
)
def test_an_answer_may_have_more_lines_and_other_blanks_than_are_shown(shown: list[str], output: str):
    assert missing(shown, output) == []


@pytest.mark.parametrize(("shown", "output"), [(["a c"], "a b c"), (["two", "one"], "one\ntwo\n"), (["three"], "")])
def test_a_line_that_is_not_in_the_answer_is_noticed(shown: list[str], output: str):
    assert missing(shown, output) == shown[-1:]


def test_every_block_is_of_a_kind_that_is_run_read_or_excused():
    everything = [block for page in RUN for block in blocks(page)]
    unknown = [str(block) for block in everything if block.language not in KINDS]
    unexcused = [str(block) for block in everything if block.language == "sh" and why_not_run(block) is None]
    assert (unknown, unexcused) == ([], [])


def test_every_excuse_is_for_a_block_that_is_there():
    texts = {page: [block.text for block in blocks(ROOT / page)] for page, _ in NOT_RUN}
    stale = [(page, said) for page, said in NOT_RUN if not any(text.startswith(said) for text in texts[page])]
    assert stale == []


def anchors(page: Path) -> set[str]:
    """What a link may name in a page, as GitHub makes it of headings."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\[\]]*)\]\([^()]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        number = sum(1 for one in found if one == anchor or re.fullmatch(rf"{re.escape(anchor)}-[0-9]+", one))
        found.add(f"{anchor}-{number}" if number else anchor)
    return found


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path):
    broken = []
    for target in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        led = (page.parent / path).resolve() if path else page
        if not led.exists() or (anchor and anchor not in anchors(led)):
            broken.append(target)
    assert broken == []


def test_the_index_names_every_page():
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / target).resolve() for target in _LINK.findall(index.read_text(encoding="utf-8"))}
    assert [name_of(page) for page in DOCS if page != index and page.resolve() not in named] == []


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    """`docs/generate.py`, which is in no package."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "reference").glob("*.md")), ids=name_of)
def test_the_reference_is_in_step_with_the_code(page: Path, generator: ModuleType):
    text = page.read_text(encoding="utf-8")
    assert text == generator.rendered(text), "run `make docs`"


def test_everything_the_generator_can_write_is_on_a_page(generator: ModuleType):
    pages = [page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md")]
    assert [
        name for name in generator.WRITERS if not any(f"<!-- generated: {name} -->" in text for text in pages)
    ] == []

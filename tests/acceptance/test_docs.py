"""What the pages show is run as a reader would: Python blocks become files, consoles are typed, what is printed is compared.

A line of output may hold `…` for whatever stands there; a line that is `…` alone stands for any number of lines. `^C` ends a
command that runs until told to: it is interrupted once it has printed what stands before, and must exit with 0.
"""

import base64
import os
import queue
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from outrider.testing.feishu import FakeFeishu
from outrider.testing.services import KafkaServer

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TOPIC = "outrider.orders.outbox"
SETTINGS = """
[service]
name = "orders"
catalog = "shop:catalog"
[database]
url = "sqlite:///shop.db"
[broker]
url = "log:"
"""
"""What the first chapter of the tutorial leaves in outrider.toml."""
INTERRUPT = "^C"
LINE_SECONDS = 40
FILE = re.compile(r"# (\w+\.py)\n")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its text."""

    kind: str
    text: str


def blocks(path: Path) -> list[Block]:
    return [Block(kind, text) for kind, text in FENCE.findall(path.read_text(encoding="utf-8"))]


def shown(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console with the lines that stand below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        yield command, lines


def pattern(lines: list[str]) -> re.Pattern[str]:
    """What `lines` stand for, blanks at the end of a line and between columns aside."""
    parts = [r"(?:[^\n]*\n)*?" if line == "…" else wild(line) + r"\n" for line in lines]
    return re.compile("".join(parts))


def wild(line: str) -> str:
    return "[^\n]*".join(re.escape(part) for part in plain(line).split("…"))


def plain(line: str) -> str:
    return re.sub(r"(?<=\S) {2,}", " ", line.rstrip())


@dataclass
class Terminal:
    """A folder and an environment, as one terminal of a reader has them. `stands_for` replaces what is only an example."""

    folder: Path
    stands_for: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTRIDER_")}
        bin_ = str(Path(sys.executable).parent)
        self.environment = {
            **kept, "PATH": f"{bin_}:{kept['PATH']}", "NO_COLOR": "1", "OUTRIDER_LOG__FORMAT": "text", "PYTHONUTF8": "1",
            "OUTRIDER_RUNTIME__STATE_DIR": str(self.folder),
        }  # fmt: skip

    def play(self, page: list[Block]) -> None:
        for block in page:
            if block.kind == "python":
                self.write(block.text)
            elif block.kind == "console":
                for command, lines in shown(block):
                    self.type(command, lines)

    def write(self, text: str) -> None:
        """A Python block that begins with `# name.py` is that file."""
        if name := FILE.match(text):
            (self.folder / name[1]).write_text(text, encoding="utf-8")

    def type(self, command: str, lines: list[str]) -> None:
        for example, real in self.stands_for.items():
            command = command.replace(example, real)
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.environment[name] = value
        elif lines[-1:] == [INTERRUPT]:
            self.run_until(command, lines[:-1])
        else:
            printed = self.run(command)
            assert pattern(lines).fullmatch("".join(f"{plain(line)}\n" for line in printed.splitlines())), (
                f"$ {command}\nprinted\n{printed}\nnot what the page shows:\n" + "\n".join(lines)
            )

    def run(self, command: str) -> str:
        """What a command prints, on both streams in the order of the page: words first, then data."""
        words, environment = self.split(command)
        done = subprocess.run(
            words, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=LINE_SECONDS, check=False
        )
        return done.stderr + done.stdout

    def run_until(self, command: str, lines: list[str]) -> None:
        """Run until these lines have come, in their order and others between them; then interrupt."""
        words, environment = self.split(command)
        process = subprocess.Popen(
            words, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        printed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        reading = threading.Thread(target=read_on, args=(process, printed), daemon=True)
        reading.start()
        seen: list[str] = []
        try:
            for line in lines:
                wanted = re.compile(wild(line))
                while not wanted.fullmatch(plain(seen[-1]) if seen else "\0"):
                    said = printed.get(timeout=LINE_SECONDS)
                    assert said is not None, f"$ {command}\nended with\n{''.join(seen)}"
                    seen.append(said)
            process.send_signal(signal.SIGINT)
            code = process.wait(LINE_SECONDS)
        except (queue.Empty, subprocess.TimeoutExpired):
            pytest.fail(f"$ {command}\nprinted, and nothing more came:\n{''.join(seen)}")
        finally:
            process.kill()
            process.wait()
            reading.join()
        assert code == 0, f"$ {command}\nended with {code}, after\n{''.join(seen)}"

    def split(self, command: str) -> tuple[list[str], dict[str, str]]:
        """The words of a command, and its environment with what it sets itself."""
        words, environment = shlex.split(command), dict(self.environment)
        while re.match(r"[A-Z_]+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        return words, environment


def read_on(process: "subprocess.Popen[str]", printed: "queue.SimpleQueue[str | None]") -> None:
    """Hand on every line, and None at the end."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            printed.put(line)
    printed.put(None)


def chapters(path: Path) -> tuple[list[Block], list[Block]]:
    """The tutorial's blocks before the real servers, and from there on."""
    first, second = path.read_text(encoding="utf-8").split("## PostgreSQL and Kafka")
    count = len(FENCE.findall(first))
    assert second
    return blocks(path)[:count], blocks(path)[count:]


@pytest.mark.timeout(300)
def test_tutorial_runs_on_sqlite(tmp_path: Path) -> None:
    page, _ = chapters(DOCS / "tutorial.md")
    Terminal(tmp_path).play(page)


@pytest.mark.timeout(300)
def test_tutorial_runs_on_postgresql_and_kafka(tmp_path: Path, postgres_url: str, kafka_server: KafkaServer) -> None:
    """Only the two URLs change: the program and the settings file are those of the first chapter."""
    first, second = chapters(DOCS / "tutorial.md")
    kafka_server.create_topic(TOPIC, 4)
    terminal = Terminal(
        tmp_path, {"postgresql://me@localhost/shop": postgres_url, "kafka://localhost:9092": kafka_server.url}
    )
    terminal.play([block for block in first if block.kind == "python"])
    (tmp_path / "outrider.toml").write_text(SETTINGS, encoding="utf-8")
    terminal.play(second)


@pytest.mark.timeout(180)
def test_readme_program_runs(tmp_path: Path) -> None:
    """The program on the first page, as it stands there: placed once, consumed once."""
    (program,) = [block for block in blocks(ROOT / "README.md") if block.kind == "python"]
    assert len([line for line in program.text.splitlines() if line.strip()]) <= 25
    (tmp_path / "shop.py").write_text(program.text, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
        shop.execute("CREATE TABLE orders (id TEXT PRIMARY KEY, total INTEGER)")
        shop.execute("CREATE TABLE invoice (order_id TEXT, total INTEGER)")
    terminal = Terminal(tmp_path)
    assert "routes: 1 written" in terminal.run(
        "outrider init --service orders --catalog shop:catalog --database sqlite:///shop.db"
    )
    assert terminal.run("""python -c "import shop; shop.place('order-17', 1250)" """) == ""
    terminal.run_until("OUTRIDER_LOG__LEVEL=debug outrider consume shop:billing", ["…receipt.recorded…"])
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
        assert shop.execute("SELECT * FROM invoice").fetchall() == [("order-17", 1250)]
    assert '"state": "consumed"' in terminal.run("outrider messages list --json")


ON_FEISHU = DOCS / "howto" / "feishu.md"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("path", sorted({*(DOCS / "howto").glob("*.md")} - {ON_FEISHU}), ids=lambda path: path.stem)
def test_howto_runs(path: Path, tmp_path: Path) -> None:
    """Its consoles are typed; a Python block that is no file of theirs runs by itself and prints nothing."""
    follow(path, Terminal(tmp_path))


@pytest.mark.timeout(180)
def test_howto_of_feishu_runs_against_the_fake(tmp_path: Path) -> None:
    """NT-53 and §14: from an empty folder to a message in a group, by a bot, a flow and an app; each secret in a file."""
    with FakeFeishu() as feishu:
        bot = feishu.add_bot(secret="sign-secret-1", keywords=["[Steward]"])
        flow = feishu.add_flow(bearer="flow-bearer-1")
        app = feishu.add_app("cli_0123456789")
        given = {
            "keys.txt": f"k1:{base64.b64encode(bytes(32)).decode()}", "bot-url.txt": bot.url, "bot-secret.txt": bot.secret,
            "flow-url.txt": flow.url, "flow-token.txt": flow.bearer, "app-secret.txt": app.app_secret,
        }  # fmt: skip
        for name, text in given.items():
            (tmp_path / name).write_text(f"{text}\n", encoding="utf-8")
        terminal = Terminal(tmp_path, {"https://open.feishu.cn": feishu.base_url})
        terminal.environment["OUTRIDER_NOTIFICATION__SSRF__ALLOW"] = feishu.address
        follow(ON_FEISHU, terminal)
        shown = [post.text for post in feishu.posts if post.endpoint == "bot"]
    assert sum("Call the bank" in text for text in shown) == 1
    assert all("[Steward]" in text for text in shown)
    assert {post.endpoint for post in feishu.posts} == {"bot", "flow", "app"}


def follow(path: Path, terminal: Terminal) -> None:
    """Do what a how-to says."""
    page, tmp_path = blocks(path), terminal.folder
    for number, block in enumerate(page):
        if block.kind == "python" and not FILE.match(block.text):
            (tmp_path / f"block_{number}.py").write_text(block.text, encoding="utf-8")
            assert terminal.run(f"python block_{number}.py") == ""
    terminal.play(page)

"""Topics that Kafka lacks are told of before anything needs them: ST-64, OB-34."""

from pathlib import Path
from uuid import uuid4

import pytest

from outrider.testing.services import KafkaServer
from tests.acceptance.steward.program import Folder

END_SECONDS = 30

pytestmark = pytest.mark.timeout(120)


def test_a_missing_topic_is_told_of_with_the_command_that_makes_it(tmp_path: Path, kafka_server: KafkaServer) -> None:
    """ST-64, ST-70, OB-34: by migrate, doctor and serve, which go on; once the topics are there, nobody speaks of them."""
    folder, namespace = Folder(tmp_path), f"t{uuid4().hex[:12]}"
    environment = {"STEWARD_BROKER__URL": kafka_server.url, "STEWARD_NAMESPACE": namespace}
    topics = [f"{namespace}.notification.outbox", f"{namespace}.steward.outbox"]
    commands = [
        f"kafka-topics.sh --bootstrap-server {kafka_server.bootstrap_servers} --create --partitions 4 --topic {topic}"
        for topic in topics
    ]
    migrated = folder.run("migrate", **environment)
    assert migrated.code == 0
    assert all(command in migrated.err for command in commands)
    (found,) = [one for one in folder.run("doctor", "--json", **environment).json["checks"] if one["check"] == "topics"]
    assert (found["verdict"], found["seen"], found["advice"]) == (
        "fail", f"missing: {', '.join(topics)}", "\n".join(commands)
    )  # fmt: skip
    said, code = _said(folder, environment)
    assert code == 0
    assert set(commands) <= set(said)
    for topic in topics:
        kafka_server.create_topic(topic)
    checks = folder.run("doctor", "--json", **environment).json["checks"]
    assert [one for one in checks if one["check"] == "topics"] == []
    assert "kafka-topics.sh" not in folder.run("migrate", **environment).err


def test_a_broker_that_does_not_answer_keeps_nobody_from_the_tables(tmp_path: Path) -> None:
    """OB-34."""
    said = Folder(tmp_path).run("migrate", STEWARD_BROKER__URL="kafka://127.0.0.1:1")
    assert said.code == 0
    assert "topics cannot be looked at" in said.err


def _said(folder: Folder, environment: dict[str, str]) -> tuple[list[str], int]:
    """What `serve` says until it answers, and how it ends then."""
    process = folder.start("serve", "--http-only", "--port", "0", **environment)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line.rstrip("\n"))
        if line.startswith("answering on "):
            break
    process.terminate()
    process.communicate(timeout=END_SECONDS)
    return said, process.returncode

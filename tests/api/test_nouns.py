"""Images, volumes, networks and events through the docker command line; the same on dockerd."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.commands import wait_until
from tests.support.engines import Engine

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.peer]


def inspected(engine: Engine, noun: str, name: str) -> dict[str, object]:
    """One thing as the CLI inspects it."""
    found: list[dict[str, object]] = json.loads(engine.docker(noun, "inspect", name).ok())
    return found[0]


def test_an_import_keeps_changes_and_its_message(engine: Engine, busybox_tar: Path) -> None:
    changes = ("-c", 'CMD ["sh", "-c", "echo made"]', "-c", "ENV A=b", "-c", "EXPOSE 80", "-c", "LABEL x=y")
    engine.docker("import", "-m", "by hand", *changes, str(busybox_tar), "made:1").ok()
    image = inspected(engine, "image", "made:1")
    config = image["Config"]
    assert isinstance(config, dict)
    assert (image["RepoTags"], image["Comment"]) == (["made:1"], "by hand")
    assert config["Env"] == ["A=b"]
    assert config["ExposedPorts"] == {"80/tcp": {}}
    assert config["Labels"] == {"x": "y"}
    assert engine.docker("run", "--rm", "made:1").ok() == "made"
    assert engine.docker("image", "rm", "made:1").ok().startswith("Untagged: made:1\nDeleted: sha256:")


def test_a_tag_is_a_second_name(engine: Engine) -> None:
    engine.docker("tag", "busybox", "second:x").ok()
    ids = engine.docker("images", "-q", "--no-trunc", "second:x").ok()
    assert ids == engine.docker("images", "-q", "--no-trunc", "busybox:latest").ok()
    assert (
        engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=sec*").ok() == "second:x"
    )
    assert engine.docker("rmi", "second:x").ok() == "Untagged: second:x"


def test_images_are_filtered_by_label_and_time(engine: Engine, busybox_tar: Path) -> None:
    engine.docker("import", "-c", "LABEL colour=red", str(busybox_tar), "red:1").ok()

    def shown(*filters: str) -> set[str]:
        words = [word for each in filters for word in ("--filter", each)]
        return set(engine.docker("images", "--format", "{{.Repository}}", *words).ok().split())

    assert shown("label=colour") == shown("label=colour=red") == {"red"}
    assert shown("label=colour=blue") == set()
    assert "red" in shown("since=busybox:latest")
    assert "busybox" in shown("before=red:1")
    assert shown("reference=red:*") == {"red"}
    engine.docker("rmi", "red:1").ok()


def test_history_tells_the_import(engine: Engine) -> None:
    row = engine.docker("history", "--no-trunc", "--format", "{{.ID}} {{.Comment}}", "busybox").ok()
    assert re.fullmatch(r"sha256:[0-9a-f]{64} Imported from -", row)


def test_an_image_in_use_stays(engine: Engine) -> None:
    container = engine.docker("create", "busybox", "true").ok()
    refused = engine.docker("rmi", "busybox")
    assert refused.code == 1
    assert (
        f'conflict: unable to remove repository reference "busybox" (must force) - container {container[:12]} is'
        in (refused.stderr)
    )
    engine.docker("rm", container).ok()


def test_volumes_are_made_listed_filled_and_removed(engine: Engine) -> None:
    assert engine.docker("volume", "create", "--label", "a=b", "kept").ok() == "kept"
    engine.docker("run", "--rm", "-v", "kept:/data", "busybox", "sh", "-c", "echo x >/data/f").ok()
    assert engine.docker("run", "--rm", "-v", "kept:/data:ro", "busybox", "cat", "/data/f").ok() == "x"
    assert engine.docker("volume", "ls", "-q", "--filter", "label=a=b").ok() == "kept"
    volume = inspected(engine, "volume", "kept")
    assert (volume["Driver"], volume["Scope"], volume["Labels"]) == ("local", "local", {"a": "b"})
    assert Path(str(volume["Mountpoint"]), "f").read_text() == "x\n"
    user = engine.docker("create", "-v", "kept:/data", "busybox").ok()
    refused = engine.docker("volume", "rm", "kept")
    assert f"remove kept: volume is in use - [{user}]" in refused.stderr
    engine.docker("rm", user).ok()
    assert engine.docker("volume", "rm", "kept").ok() == "kept"
    assert "get kept: no such volume" in engine.docker("volume", "inspect", "kept").stderr


def test_anonymous_volumes_go_with_their_container(engine: Engine) -> None:
    before = engine.docker("volume", "ls", "-q").ok()
    engine.docker("run", "--rm", "-v", "/data", "busybox", "touch", "/data/f").ok()
    assert engine.docker("volume", "ls", "-q").ok() == before


def test_the_three_networks_are_there(engine: Engine) -> None:
    listed = engine.docker("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}").ok().splitlines()
    assert sorted(listed) == ["bridge bridge local", "host host local", "none null local"]
    running = engine.docker("run", "-d", "--name", "netted", "busybox", "sleep", "600").ok()
    endpoints = inspected(engine, "network", "bridge")["Containers"]
    assert isinstance(endpoints, dict)
    assert endpoints[running]["Name"] == "netted"
    address = engine.docker("exec", "netted", "hostname", "-i").ok()
    assert endpoints[running]["IPv4Address"].partition("/")[0] == address
    engine.docker("rm", "-f", "netted").ok()


def test_events_of_a_run_arrive_in_order(engine: Engine) -> None:
    since = f"{time.time():.6f}"
    engine.docker("run", "--name", "eventful", "busybox", "sh", "-c", "exit 3")
    engine.docker("rm", "eventful").ok()
    until = f"{time.time():.6f}"
    words = ("--since", since, "--until", until, "--filter", "container=eventful", "--format", "{{json .}}")
    events = [json.loads(line) for line in engine.docker("events", *words).ok().splitlines()]
    told = [event["Action"] for event in events if event["Type"] == "container"]
    assert told == ["create", "attach", "start", "die", "destroy"]
    assert events[3]["Actor"]["Attributes"]["exitCode"] == "3"
    assert {event["scope"] for event in events} == {"local"}


def test_events_are_told_while_they_happen(engine: Engine) -> None:
    with subprocess.Popen(
        ["docker", "events", "--filter", "event=destroy", "--format", "{{.Type}} {{.Action}}"],
        stdout=subprocess.PIPE, text=True, env=engine.client_environment(),
    ) as listening:  # fmt: skip
        assert listening.stdout
        wait_until(lambda: engine.api("GET", "/info").ok()["NEventsListener"] > 0, "the client listens")
        engine.docker("rm", engine.docker("create", "busybox").ok()).ok()
        assert listening.stdout.readline() == "container destroy\n"
        listening.terminate()
    wait_until(lambda: engine.api("GET", "/info").ok()["NEventsListener"] == 0, "the listener is gone")


def test_disk_usage_counts_what_is_there(engine: Engine) -> None:
    rows = engine.docker("system", "df", "--format", "{{.Type}}={{.TotalCount}}").ok().splitlines()
    counts = dict(row.split("=") for row in rows)
    assert int(counts["Images"]) >= 1
    assert set(counts) == {"Images", "Containers", "Local Volumes", "Build Cache"}


def test_a_missing_image_is_said_in_dockers_words(engine: Engine) -> None:
    missing = engine.docker("image", "inspect", "no-such-image")
    assert missing.code == 1
    assert "No such image: no-such-image" in missing.stderr
    assert engine.docker("run", "--rm", "--pull", "never", "no-such-image").code == 125


def committed(engine: Engine, base: str, size: int, *name: str) -> str:
    """The id of an image that has one file more than `base`."""
    engine.docker("run", "--name", "writer", base, "sh", "-c", f"head -c {size} /dev/zero > /file{size}").ok()
    image = engine.docker("commit", "-c", "LABEL of=prunes", "writer", *name).ok()
    engine.docker("rm", "writer").ok()
    return image


def deletions(engine: Engine, since: float) -> list[str]:
    """The images of which a `delete` was told."""
    words = ("--since", f"{since:.9f}", "--until", f"{time.time():.9f}")
    filters = ("--filter", "type=image", "--filter", "event=delete")
    return engine.docker("events", *words, *filters, "--format", "{{.Actor.ID}}").ok().split()


def test_a_prune_reclaims_what_no_other_image_has(engine: Engine) -> None:
    image = committed(engine, "busybox", 1_000_000, "kid:1")
    engine.docker("tag", "busybox", "kid:1").ok()
    since = time.time()
    pruned = engine.api("POST", '/images/prune?filters={"label":["of=prunes"]}').ok()
    assert image in [one.get("Deleted") for one in pruned["ImagesDeleted"]]
    assert 1_000_000 <= pruned["SpaceReclaimed"] < 1_200_000, "busybox is not counted"
    assert deletions(engine, since) == [image]
    engine.docker("rmi", "kid:1").ok()


def test_a_deletion_is_told_of_every_image_that_goes(engine: Engine) -> None:
    parent = committed(engine, "busybox", 1000)
    child = committed(engine, parent, 2000, "child:1")
    since = time.time()
    told = engine.docker("rmi", "child:1").ok()
    assert re.findall("Deleted: (sha256:[0-9a-f]{64})", told)[0] == child
    assert deletions(engine, since) == [child, parent]

"""From command lines to create bodies: what docker sends and says is the measure."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.cli.create import mounts, networks, ports, table
from pier.cli.create.body import create_body
from pier.cli.create.environment import labels, variables
from pier.cli.create.host import host_config
from pier.cli.create.types import TYPES
from pier.cli.failure import Failure
from pier.cli.flags import Parsed, Parser, read_table
from pier.cli.main import run
from tests.client.fake import Answer, FakeDaemon

GOLDEN = Path(__file__).parent / "golden"
BODIES: dict[str, Any] = json.loads((GOLDEN / "create_bodies.json").read_text())
ERRORS: list[dict[str, Any]] = json.loads((GOLDEN / "create_errors.json").read_text())
EMPTY = (None, "", 0, False, -1)
KEPT = ("MaskedPaths", "ReadonlyPaths")


def parse(*arguments: str) -> tuple[Parsed, list[str]]:
    return Parser(read_table(table.CREATE), interspersed=False, types=TYPES).parse(list(arguments))


def plain(value: Any) -> Any:
    """The value without what is empty or zero, as the golden file has it."""
    if isinstance(value, dict):
        cleaned = {key: plain(item) for key, item in value.items()}
        return {key: item for key, item in cleaned.items() if key in KEPT or item not in (*EMPTY, [], {})}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", sorted(BODIES))
def test_the_body_is_the_one_that_docker_sends(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/tmp")
    monkeypatch.delenv("NOSUCHVAR", raising=False)
    expected = BODIES[name]["body"]
    got = plain(create_body(*parse(*BODIES[name]["arguments"])))
    expected["HostConfig"].get("Binds", []).sort()
    got["HostConfig"].get("Binds", []).sort()
    got["HostConfig"].pop("KernelMemory", None)
    assert got == expected


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: " ".join(case["arguments"]) or "nothing")
def test_a_refusal_is_worded_as_dockers(
    case: dict[str, Any], daemon: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/tmp")
    fake: FakeDaemon = daemon(lambda _: Answer({"Id": "made", "Warnings": []}, 201))
    code = run(["docker", "create", *case["arguments"]])
    assert (code, capsys.readouterr().err.split("\n")[0]) == (case["code"], case["message"])
    assert all(asked.method == "HEAD" for asked in fake.asked)


def test_what_cannot_work_is_refused_by_name() -> None:
    for flag in ("--gpus=all", "--use-api-socket"):
        with pytest.raises(Failure, match=f"^{flag.partition('=')[0]} is not supported"):
            create_body(*parse(flag, "busybox"))
    with pytest.raises(Failure, match="disable-content-trust=false is not supported"):
        create_body(*parse("--disable-content-trust=false", "busybox"))


def test_a_seccomp_profile_is_read_here_and_sent_whole(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text('{ "defaultAction" : "SCMP_ACT_ALLOW" }')
    flags, _ = parse("--security-opt", f"seccomp={profile}", "busybox")
    assert host_config(flags)["SecurityOpt"] == ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']
    profile.write_text("{")
    with pytest.raises(Failure, match="compacting json for seccomp profile"):
        host_config(flags)


def test_variables_come_from_files_first_and_flags_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "env"
    file.write_text("# note\n\nA=1\n  B=two words\nHERE\nGONE\n", encoding="utf-8-sig")
    monkeypatch.setenv("HERE", "yes")
    monkeypatch.delenv("GONE", raising=False)
    assert variables([str(file)], ["A=2"]) == ["A=1", "B=two words", "HERE=yes", "A=2"]
    file.write_text("a b=1\n")
    with pytest.raises(Failure, match="variable 'a b' contains whitespaces"):
        variables([str(file)], [])
    file.write_text("=1\n")
    with pytest.raises(Failure, match="no variable name on line '=1'"):
        variables([str(file)], [])


def test_labels_may_have_no_value(tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_text("a=1\nb\n")
    assert labels([str(file)], ["a=2", "c"]) == {"a": "2", "b": "", "c": ""}


@given(st.text(alphabet="0123456789:-/.[]tcpudx=,", max_size=16))
def test_any_text_is_a_port_or_refused(text: str) -> None:
    try:
        exposed, bindings = ports.parse_published([text])
    except Failure:
        return
    else:
        assert set(bindings) == set(exposed)
        assert all(1 <= len(port.split("/")[0]) <= 5 for port in exposed)


@given(st.text(alphabet='typebind,=src/dst" roa-', max_size=30))
def test_any_text_is_a_mount_or_refused(text: str) -> None:
    try:
        assert mounts.parse_mount(text)["Target"]
    except ValueError:
        return


@given(st.text(alphabet="name=,alispdrvo-t", max_size=30))
def test_any_text_is_a_network_or_refused(text: str) -> None:
    try:
        assert "target" in networks.parse_network(text)
    except ValueError:
        return

"""Bundles: what a config.json must be, what is refused by name, and which control group it asks for."""

import json
from pathlib import Path
from typing import Any

import pytest

from pier.runtime import bundle
from pier.spec.errors import InvalidParameter, NotFound, NotSupported
from tests.runtime.bundles import config


def load(directory: Path, document: Any) -> dict[str, Any]:
    """The document as the runtime reads it."""
    (directory / "config.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return bundle.load(directory)


def test_paths_are_the_bundles_and_nulls_are_nothing(tmp_path: Path) -> None:
    document = config("true") | {"annotations": None, "hooks": {"prestart": None}}
    document["mounts"].append({"destination": "/x", "source": "data", "options": ["rbind"]})
    loaded = load(tmp_path, document)
    assert loaded["root"]["path"] == str(tmp_path / "rootfs")
    assert loaded["mounts"][-1]["source"] == str(tmp_path / "data")
    assert "annotations" not in loaded
    assert loaded["hooks"] == {}


@pytest.mark.parametrize("document", ["{", "[]", '"x"', "{}", '{"root": 1}', '{"root": {"path": "x"}, "process": []}'])
def test_what_is_no_configuration_is_refused(tmp_path: Path, document: str) -> None:
    with pytest.raises(InvalidParameter):
        load(tmp_path, document)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"JSON specification file .*config.json not found"):
        bundle.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"mounts": "x"}, {"mounts": [{"type": "proc"}]}, {"hooks": []}, {"linux": {"namespaces": ["pid"]}},
        {"hooks": {"prestart": [{"args": ["x"]}]}}, {"linux": {"uidMappings": [{"containerID": "0"}]}},
        {"process": {"cwd": "/", "args": "true"}}, {"process": {"cwd": "/", "args": []}},
        {"process": {"args": ["true"]}},
    ],
)  # fmt: skip
def test_what_has_a_wrong_type_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        load(tmp_path, config("true") | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"linux": {"intelRdt": {"closID": "x"}}}, "linux.intelRdt is not supported"),
        ({"linux": {"personality": {"domain": "LINUX32"}}}, "linux.personality is not supported"),
        ({"linux": {"mountLabel": "x"}}, "linux.mountLabel is not supported"),
        ({"mounts": [{"destination": "/x", "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}]}, "mount /x"),
    ],
)
def test_what_would_be_passed_over_is_refused_by_name(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(NotSupported, match=message):
        load(tmp_path, config("true") | change)


@pytest.mark.parametrize(
    ("asked", "path"), [("", "/one"), ("/a/b", "/a/b"), ("a", "/a"), ("/../../x", "/x"), ("/a/./b//c", "/a/b/c")]
)
def test_a_control_group_stays_below_the_root(asked: str, path: str) -> None:
    assert bundle.cgroup_path({"linux": {"cgroupsPath": asked}}, "one") == path


def test_systemds_control_groups_are_refused_by_name() -> None:
    with pytest.raises(NotSupported, match="systemd"):
        bundle.cgroup_path({"linux": {"cgroupsPath": "system.slice:pier:one"}}, "one")

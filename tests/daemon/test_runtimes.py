"""Runtimes by flag and by directive: what dockerd takes is taken, and what it refuses, and shims, are refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.daemon import configuration, runtimes
from pier.runtime.foreign import BUILT_IN, ForeignRuntime
from pier.spec.errors import InvalidParameter, NotSupported, PierError


def test_flags_name_runtimes_by_path() -> None:
    settings = configuration.load(["--add-runtime", "One=/bin/one,two = two", "--add-runtime=x=/bin/x=y"])
    assert settings.runtimes == {
        "one": ForeignRuntime("/bin/one"),
        "two": ForeignRuntime("two"),
        "x": ForeignRuntime("/bin/x=y"),
    }
    assert settings.default_runtime == BUILT_IN


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--add-runtime", "one"], "invalid runtime argument: one"),
        (["--add-runtime", "=/bin/one"], "invalid runtime argument: =/bin/one"),
        (["--add-runtime", "one="], "invalid runtime argument: one="),
        (["--add-runtime", "one=/a", "--add-runtime", "one=/b"], "runtime 'one' was already defined"),
        (["--add-runtime", f"{BUILT_IN}=/a"], f"runtime name '{BUILT_IN}' is reserved"),
        (["--add-runtime", "k=io.containerd.kata.v2"], "runtime k: io.containerd.kata.v2 is not supported: "),
        (["--default-runtime", "one"], "specified default runtime 'one' does not exist"),
    ],
)
def test_a_wrong_flag_is_refused(flags: list[str], message: str) -> None:
    with pytest.raises(PierError) as caught:
        configuration.load(flags)
    assert caught.value.message.startswith(message)


def test_the_file_gives_a_runtime_arguments_and_makes_it_the_default(tmp_path: Path) -> None:
    settings = _load(tmp_path, {"logged": {"path": "/bin/runc", "runtimeArgs": ["--debug", "a,b"]}}, "logged")
    assert settings.runtimes == {"logged": ForeignRuntime("/bin/runc", ("--debug", "a,b"))}
    assert settings.default_runtime == "logged"


@pytest.mark.parametrize(
    ("entry", "kind", "message"),
    [
        ({"runtimeType": "io.containerd.runsc.v1"}, NotSupported, "runtime odd: runtimeType is not supported: "),
        ({"path": "/a", "options": {"x": 1}}, NotSupported, "runtime odd: options is not supported: "),
        ({}, InvalidParameter, "runtime odd: either a runtimeType or a path must be configured"),
        ({"path": 3}, InvalidParameter, "runtime odd: either a runtimeType or a path must be configured"),
        ({"path": "/a", "runtimeArgs": "x"}, InvalidParameter, "runtime odd: runtimeArgs must be a list of strings"),
        ({"path": "/a", "colour": 1}, InvalidParameter, "runtime odd: unknown keys: colour"),
        ({"path": "/a\0b"}, InvalidParameter, "invalid runtime name, path or argument: 'odd'"),
        ("/a", InvalidParameter, 'runtime odd: an object with "path" is needed'),
    ],
)
def test_a_wrong_directive_is_refused(tmp_path: Path, entry: object, kind: type[PierError], message: str) -> None:
    with pytest.raises(kind) as caught:
        _load(tmp_path, {"odd": entry})
    assert message in caught.value.message


def test_a_flag_and_a_directive_are_a_conflict(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text(json.dumps({"runtimes": {"one": {"path": "/a"}}}))
    with pytest.raises(InvalidParameter, match=r"runtimes: \(from flag: \[two=/b\], from file: \[one=/a\]\)"):
        configuration.load(["--config-file", str(file), "--add-runtime", "two=/b"])


def test_a_reload_takes_the_runtimes_and_the_default(tmp_path: Path) -> None:
    current = _load(tmp_path, {"one": {"path": "/a"}}, "one")
    entries = {"Two": {"path": "/b"}, "three": {"path": "/c", "runtimeArgs": ["-x"]}}
    (tmp_path / "daemon.json").write_text(json.dumps({"runtimes": entries, "default-runtime": "Two"}))
    fresh, changes = configuration.reloaded(current, ["--config-file", str(tmp_path / "daemon.json")])
    assert fresh.runtimes == {"Two": ForeignRuntime("/b"), "three": ForeignRuntime("/c", ("-x",))}
    assert fresh.default_runtime == "Two"
    assert changes == {"runtimes": "Two:/b three:/c", "default_runtime": "Two"}


def test_the_table_has_the_built_in_runtime_and_runc() -> None:
    assert runtimes.table({"one": ForeignRuntime("/a")}) == {
        BUILT_IN: None,
        "runc": ForeignRuntime("runc"),
        "one": ForeignRuntime("/a"),
    }


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda deeper: st.dictionaries(st.text(), deeper)))
def test_any_directive_is_runtimes_or_an_error(value: object) -> None:
    try:
        runtimes.parse(runtimes.as_flags(value))
    except (InvalidParameter, NotSupported):
        pass


def _load(directory: Path, entries: object, default: str = BUILT_IN) -> "configuration.Settings":
    file = directory / "daemon.json"
    file.write_text(json.dumps({"runtimes": entries, "default-runtime": default}))
    return configuration.load(["--config-file", str(file)])

"""Records: durable, atomic per call, grouped; and what a full disk does to them."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pier.spec.errors import NoSpace, SystemFailure
from pier.store.records import Delete, Put, Records


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    """Records in a fresh file."""
    opened = Records.open(tmp_path / "records.sqlite")
    yield opened
    opened.close()


def test_a_document_is_found_after_reopening(tmp_path: Path) -> None:
    first = Records.open(tmp_path / "r.sqlite")
    first.write(Put("container", "a", b"1"), Put("image", "a", b"2")).result(60)
    first.write(Put("container", "a", b"3"), Delete("image", "none")).result(60)
    first.close()
    second = Records.open(tmp_path / "r.sqlite")
    assert second.load("container") == {"a": b"3"}
    assert second.load("image") == {"a": b"2"}
    second.close()


def test_a_deleted_document_is_gone(records: Records) -> None:
    records.write(Put("tag", "x", b"1")).result(60)
    records.write(Delete("tag", "x")).result(60)
    assert records.load("tag") == {}


def test_the_file_is_readable_for_root_only(records: Records, tmp_path: Path) -> None:
    assert (tmp_path / "records.sqlite").stat().st_mode & 0o077 == 0


def test_a_bad_change_fails_alone_and_whole(records: Records) -> None:
    broken = [Put("k", "a", b"1"), Put("k", "bad\udcff", b"2")]
    with pytest.raises(SystemFailure):
        records.write(*broken).result(60)
    records.write(Put("k", "b", b"3")).result(60)
    assert records.load("k") == {"b": b"3"}


def test_many_writers_are_all_served(records: Records) -> None:
    def write(number: int) -> None:
        for turn in range(20):
            records.write(Put("k", f"{number}-{turn}", b"x")).result(30)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(records.load("k")) == 160


def test_a_caller_who_gives_up_does_not_stop_the_writer(records: Records) -> None:
    assert not records.write(Put("k", "a", b"1")).cancel()
    records.write(Put("k", "b", b"1")).result(60)
    assert set(records.load("k")) == {"a", "b"}


def test_writing_after_close_fails(tmp_path: Path) -> None:
    records = Records.open(tmp_path / "r.sqlite")
    records.close()
    records.close()
    with pytest.raises(SystemFailure):
        records.write(Put("k", "a", b"1")).result(60)


def test_a_damaged_file_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "r.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(SystemFailure, match=r"r\.sqlite"):
        Records.open(tmp_path / "r.sqlite")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "r.sqlite")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(SystemFailure, match="format 999"):
        Records.open(tmp_path / "r.sqlite")


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from pier.store.records import *\n"
        "r = Records.open(Path(sys.argv[1]))\n"
        "for n in range(100000):\n"
        "    r.write(Put('k', str(n), b'x')).result(); sys.stdout.write(f'{n}\\n'); sys.stdout.flush()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "r.sqlite")], stdout=subprocess.PIPE, env=environment
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(50)]
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    acknowledged = {line.decode().strip() for line in lines if line.endswith(b"\n")}
    records = Records.open(tmp_path / "r.sqlite")
    assert acknowledged <= set(records.load("k"))
    records.close()


@pytest.mark.root
def test_a_full_disk_refuses_new_documents_and_keeps_the_old(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)], check=True)
    try:
        records = Records.open(tmp_path / "r.sqlite")
        records.write(Put("k", "old", b"before")).result(60)
        _fill(tmp_path / "ballast")
        with pytest.raises(NoSpace):
            for number in range(2000):
                records.write(Put("k", f"new-{number}", b"x" * 5000)).result(60)
        records.write(Put("k", "old", b"after")).result(60)
        records.write(Delete("k", "new-0")).result(60)
        (tmp_path / "ballast").unlink()
        records.write(Put("k", "new", b"again")).result(60)
        documents = records.load("k")
        records.close()
        assert documents["old"] == b"after"
        assert documents["new"] == b"again"
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as stream:
        try:
            while stream.write(b"\0" * 4096):
                pass
        except OSError:
            return


CHANGES = st.lists(
    st.one_of(
        st.builds(Put, st.sampled_from("ab"), st.sampled_from("xyz"), st.binary(max_size=8)),
        st.builds(Delete, st.sampled_from("ab"), st.sampled_from("xyz")),
    ),
    max_size=6,
)


@settings(max_examples=20, deadline=None)
@given(st.lists(CHANGES, max_size=6))
def test_records_behave_as_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[Put | Delete]]
) -> None:
    records = Records.open(tmp_path_factory.mktemp("model") / "r.sqlite")
    model: dict[tuple[str, str], bytes] = {}
    for changes in calls:
        records.write(*changes)
        for change in changes:
            if isinstance(change, Put):
                model[change.kind, change.key] = change.document
            else:
                model.pop((change.kind, change.key), None)
    records.write().result(60)
    loaded = {(kind, key): document for kind in "ab" for key, document in records.load(kind).items()}
    records.close()
    assert loaded == model

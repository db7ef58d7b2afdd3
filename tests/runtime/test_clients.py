"""Clients of a container: terminals and pipes, input and its end, several at once, stalled ones."""

import socket
import struct

import pytest

from tests.runtime.bundles import Runtime, client, config

pytestmark = pytest.mark.root


def test_a_terminal_is_the_containers_own(runtime: Runtime) -> None:
    with client(stdin=True) as one:
        document = config("sh", "-c", "tty; stty size; ls -l /dev/console; read line; echo got $line", tty=True)
        keeper = runtime.launch(document, open_stdin=True, attachments=(one.attachment,), size=(33, 44))
        one.handed_over()
        text = one.until(b"/dev/console\r\n")
        assert b"/dev/pts/0\r\n33 44\r\ncrw--w----" in text
        one.socket.sendall(b"hello\n")
        one.until(b"got hello\r\n")
        assert runtime.end(keeper).code == 0


def test_a_resize_reaches_the_program(runtime: Runtime) -> None:
    with client(stdin=True) as one:
        document = config("sh", "-c", "trap 'stty size' WINCH; echo ready; while :; do read x; done", tty=True)
        keeper = runtime.launch(document, open_stdin=True, attachments=(one.attachment,))
        one.handed_over()
        one.until(b"ready\r\n")
        runtime.run(keeper.resize(10, 20))
        one.socket.sendall(b"\n")
        one.until(b"10 20\r\n")


def test_detach_keys_let_a_client_go_and_the_container_run(runtime: Runtime) -> None:
    told: list[tuple[int, str]] = []
    with client(stdin=True, detach_keys=b"\x10\x11") as one:
        keeper = runtime.launch(config("cat", tty=True), open_stdin=True, attachments=(one.attachment,))
        keeper.on_detach = lambda number, why: told.append((number, why))
        one.handed_over()
        one.socket.sendall(b"a\x10")
        one.until(b"a")
        one.socket.sendall(b"\x11b")
        assert one.rest() == b""
    runtime.run(keeper.resize(1, 1))
    assert told == [(1, "keys")]
    with client(stdin=True) as two:
        runtime.run(keeper.attach(two.attachment))
        two.handed_over()
        two.socket.sendall(b"\n")
        assert two.until(b"\n").endswith(b"\n")


def test_streams_are_framed_by_their_numbers(runtime: Runtime) -> None:
    with client(framed=True) as one:
        keeper = runtime.launch(config("sh", "-c", "echo out; echo err >&2"), attachments=(one.attachment,))
        one.handed_over()
        text = one.rest()
        runtime.end(keeper)
    frames = {}
    while text:
        number, length = struct.unpack(">BxxxI", text[:8])
        frames[number], text = text[8 : 8 + length], text[8 + length :]
    assert frames == {1: b"out\n", 2: b"err\n"}


def test_the_end_of_input_ends_the_containers_input_once(runtime: Runtime) -> None:
    with client(stdin=True) as one:
        document = config("sh", "-c", "cat; echo over")
        keeper = runtime.launch(document, open_stdin=True, stdin_once=True, attachments=(one.attachment,))
        one.handed_over()
        one.socket.sendall(b"some input\n")
        one.socket.shutdown(socket.SHUT_WR)
        assert one.rest() == b"some input\nover\n"
        assert runtime.end(keeper).code == 0


def test_without_stdin_once_the_end_of_input_ends_the_attachment_only(runtime: Runtime) -> None:
    with client(stdin=True) as one, client(stdin=True) as two:
        keeper = runtime.launch(config("cat"), open_stdin=True, attachments=(one.attachment,))
        one.handed_over()
        one.socket.sendall(b"first\n")
        one.until(b"first\n")
        one.socket.shutdown(socket.SHUT_WR)
        assert one.rest() == b""
        runtime.run(keeper.attach(two.attachment))
        two.handed_over()
        two.socket.sendall(b"second\n")
        two.until(b"second\n")


def test_early_input_comes_first(runtime: Runtime) -> None:
    with client(stdin=True, early=b"early ") as one:
        runtime.launch(config("cat"), open_stdin=True, stdin_once=True, attachments=(one.attachment,))
        one.handed_over()
        one.socket.sendall(b"late\n")
        one.socket.shutdown(socket.SHUT_WR)
        assert one.rest() == b"early late\n"


def test_much_input_reaches_a_slow_reader_whole(runtime: Runtime) -> None:
    with client(stdin=True) as one:
        keeper = runtime.launch(config("wc", "-c"), open_stdin=True, stdin_once=True, attachments=(one.attachment,))
        one.handed_over()
        one.socket.sendall(bytes(3_000_000))
        one.close()
        runtime.end(keeper)
        assert runtime.log() == "3000000\n"


def test_all_clients_get_the_same(runtime: Runtime) -> None:
    with client() as one, client() as two, client(stderr=False, stdout=False, stdin=True) as input_:
        keeper = runtime.launch(config("cat"), open_stdin=True, attachments=(one.attachment, two.attachment))
        runtime.run(keeper.attach(input_.attachment))
        for each in (one, two, input_):
            each.handed_over()
        input_.socket.sendall(b"to everyone\n")
        assert one.until(b"\n") == two.until(b"\n") == b"to everyone\n"


def test_a_stalled_client_holds_the_container_and_loses_nothing(runtime: Runtime) -> None:
    size = 8 << 20
    with client() as one:
        document = config("sh", "-c", f"head -c {size} /dev/zero")
        keeper = runtime.launch(document, attachments=(one.attachment,), log=None)
        one.handed_over()
        runtime.run(keeper.hello())
        assert not keeper.exited().done()
        assert len(one.rest()) == size
        assert runtime.end(keeper).code == 0


def test_a_stalled_client_among_others_is_let_go(runtime: Runtime) -> None:
    size = 8 << 20
    with client() as stalled, client() as reading:
        document = config("sh", "-c", f"head -c {size} /dev/zero; echo done")
        keeper = runtime.launch(document, attachments=(stalled.attachment, reading.attachment), log=None, patience=0.2)
        stalled.handed_over()
        reading.handed_over()
        assert reading.rest().endswith(b"done\n")
        assert runtime.end(keeper).code == 0


def test_a_client_that_hangs_up_does_no_harm(runtime: Runtime) -> None:
    with client() as one, client(stdin=True) as two:
        keeper = runtime.launch(config("cat"), open_stdin=True, attachments=(one.attachment,))
        one.handed_over()
        one.close()
        runtime.run(keeper.attach(two.attachment))
        two.handed_over()
        two.socket.sendall(b"still here\n")
        two.until(b"still here\n")

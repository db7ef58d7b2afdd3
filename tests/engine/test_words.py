"""Small parsers: signals, detach keys, wait conditions, the arguments and the output of ps."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.engine import gathering, top
from pier.engine.container import Outcome
from pier.engine.detach_keys import DEFAULT, parse_detach_keys
from pier.engine.signals import parse_signal, stop_signal
from pier.engine.waiting import answer, parse_condition
from pier.spec.errors import InvalidParameter, SystemFailure


@pytest.mark.parametrize(
    ("text", "number"),
    [("KILL", 9), ("SIGKILL", 9), ("sigterm", 15), ("9", 9), ("RTMIN+3", 37), ("SIGRTMAX-14", 50), ("64", 64)],
)
def test_signals_have_names_and_numbers(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize("text", ["", "0", "65", "-1", "SIGNOPE", "RTMIN+40", "9 ", "SIGSIGKILL"])
def test_an_unknown_signal_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^Invalid signal: "):
        parse_signal(text)


def test_a_stop_signal_that_does_not_exist_is_term() -> None:
    assert [stop_signal(text) for text in ("", "INT", "nope")] == [15, 2, 15]


def test_detach_keys() -> None:
    assert parse_detach_keys("") == DEFAULT
    assert parse_detach_keys("ctrl-p,ctrl-q") == DEFAULT
    assert parse_detach_keys("a,ctrl-@,ctrl-_,DEL") == b"a\x00\x1f\x7f"
    for text in ("ctrl-", "ctrl-1", "ab", "a,,b", "é"):
        with pytest.raises(InvalidParameter, match=r"^Invalid detach keys \(.*\) provided$"):
            parse_detach_keys(text)


@given(st.text(max_size=12))
def test_keys_and_signals_are_understood_or_refused(text: str) -> None:
    for parse in (parse_detach_keys, parse_signal):
        try:
            parse(text)
        except InvalidParameter:
            continue


def test_conditions_and_answers_of_a_wait() -> None:
    assert parse_condition("") == "not-running"
    with pytest.raises(InvalidParameter, match=r'^invalid condition: "gone"$'):
        parse_condition("gone")
    assert answer(Outcome(3)) == {"StatusCode": 3}
    assert answer(Outcome(137, "x")) == {"StatusCode": 137, "Error": {"Message": "x"}}


OUTPUT = """\
  PID TTY      CMD
    1 ?        init
   20 pts/0    sh -c a b
    - -        thread of 20
   21 pts/0    other
"""


def test_ps_is_cut_to_the_container() -> None:
    assert top.parse(OUTPUT, [20]) == {
        "Titles": ["PID", "TTY", "CMD"],
        "Processes": [["20", "pts/0", "sh -c a b"], ["-", "-", "thread of 20"]],
    }
    with pytest.raises(InvalidParameter):
        top.parse("TTY CMD\n", [1])


def test_arguments_of_ps() -> None:
    assert top.check_arguments("") == ["-ef"]
    assert top.check_arguments("-o pid,cmd") == ["-o", "pid,cmd"]
    for text in ("-o pid=x", "$(reboot)", "-ef;ls"):
        with pytest.raises(InvalidParameter):
            top.check_arguments(text)


def test_top_takes_what_ps_prints_and_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "ps"
    program.write_bytes(b"#!/bin/sh\nprintf 'PID CMD\\n7 \\377name\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert top.run_ps(["-ef"], [7]) == {"Processes": [["7", "\ufffdname"]], "Titles": ["PID", "CMD"]}

    def late(*words: object, **more: object) -> None:
        raise subprocess.TimeoutExpired("ps", 30)

    monkeypatch.setattr(subprocess, "run", late)
    with pytest.raises(SystemFailure, match="no answer within 30 s"):
        top.run_ps(["-ef"], [7])


def test_a_device_that_goes_meanwhile_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gone").touch()

    def vanish(path: str) -> None:
        raise FileNotFoundError(path)

    monkeypatch.setattr(gathering, "_node", vanish)
    assert gathering._below(str(tmp_path)) == ()

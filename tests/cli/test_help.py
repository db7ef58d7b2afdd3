"""Help texts are docker's, word for word, and every command of the table can be loaded."""

import json
import re
from pathlib import Path

import pytest

from pier.cli import flags, help, main, table, values
from pier.cli.create.types import TYPES

TEXTS: dict[str, str] = json.loads((Path(__file__).parent / "golden" / "help.json").read_text())
OWN_FLAGS = re.compile(r"^ +--since string +Leave out .*\n(?: {20,}.*\n)*", re.MULTILINE)
LISTS = ("list", "map", "gpu-request")


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(help, "width", lambda: 80)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_commands_help_is_dockers(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["pier", *name.split(), "--help"]) == 0
    text = OWN_FLAGS.sub("", capsys.readouterr().out)
    assert re.sub(r"\bpier\b", "docker", text) == TEXTS[name]


@pytest.mark.parametrize("row", table.rows(), ids=lambda row: row.canonical)
def test_every_command_of_the_table_is_there(row: table.Row, capsys: pytest.CaptureFixture[str]) -> None:
    definition = main.load(row)
    known = {**values.CONVERSIONS, **TYPES, **dict.fromkeys(LISTS)}
    for flag in flags.read_table(definition.flags).values():
        assert flag.type in known, f"{row.canonical} --{flag.name} has the unknown type {flag.type}"
        assert flag.help, f"{row.canonical} --{flag.name} has no help"
    for path in row.paths:
        assert table.find(path.split())[0] is not None
    assert main.run(["pier", *row.paths[-1].split(), "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage:  pier {row.paths[-1]}")


def test_the_programs_help_lists_every_short_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["pier", "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(
        "Usage:  pier [OPTIONS] COMMAND\n\nA self-sufficient runtime for containers\n\nCommon Commands:\n"
    )
    for row in table.rows():
        if " " not in row.paths[-1]:
            assert re.search(rf"^  {row.paths[-1]} +{re.escape(row.summary)}$", text, re.MULTILINE)
    assert "  -H, --host list          Daemon socket to connect to\n" in text


@pytest.mark.parametrize("word", sorted(table.GROUPS))
def test_a_groups_help_lists_its_commands(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["pier", word, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage:  pier {word} COMMAND\n\n{table.GROUPS[word]}\n\nCommands:\n")
    assert text.endswith(f"Run 'pier {word} COMMAND --help' for more information on a command.\n")

"""The table of docs/security.md is whole, and says of each test what is so."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
HERE = "tests/security/"


def table() -> dict[int, tuple[str, str]]:
    """The ids and what Pier says to them, by row."""
    found = ROW.findall((ROOT / "docs" / "security.md").read_text())
    return {int(number): (ids, said) for number, ids, said in found}


def rows_of_tests() -> dict[int, set[str]]:
    """Files of this suite by the rows that their tests name."""
    found: dict[int, set[str]] = {}
    for path in sorted((ROOT / HERE).glob("test_*.py")):
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE):
            for row in re.findall(r"_row_(\d+)", name):
                found.setdefault(int(row), set()).add(HERE + path.name)
    return found


def test_every_row_is_there_once() -> None:
    assert sorted(table()) == list(range(1, 103))


def test_every_row_is_tested_or_names_the_part_that_brings_it() -> None:
    for row, (_, said) in table().items():
        assert said.startswith(("tested: `tests/", "comes with ", "no way out: `tests/")), row
        for path in re.findall(r"`(tests/[^`]+)`", said):
            assert (ROOT / path).exists(), f"row {row}: {path}"


def test_rows_and_names_of_tests_agree() -> None:
    named = rows_of_tests()
    for row, (_, said) in table().items():
        claimed = set(re.findall(rf"`({HERE}[^`]+)`", said)) - {HERE + "test_configuration.py"}
        assert claimed == named.get(row, set()), f"row {row}"


def test_a_test_carries_an_id_of_its_row() -> None:
    for path in sorted((ROOT / HERE).glob("test_*.py")):
        for name in re.findall(r"^def (test_row_\w+)", path.read_text(), re.MULTILINE):
            rows = [int(row) for row in re.findall(r"row_(\d+)", name)]
            for year, number in re.findall(r"cve_(\d+)_(\d+)", name):
                assert any(f"CVE-{year}-{number}" in table()[row][0] for row in rows), name

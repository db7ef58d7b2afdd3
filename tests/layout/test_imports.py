"""The two towers: each package imports only what stands below it. This table is the one of ARCHITECTURE.md."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "pier"

MAY_IMPORT: dict[str, frozenset[str]] = {
    package: frozenset(below.split())
    for package, below in {
        "spec": "",
        "kernel": "",
        "http": "spec",
        "store": "kernel spec",
        "registry": "store http spec",
        "runtime": "kernel spec",
        "network": "kernel store spec",
        "volumes": "kernel store spec",
        "logs": "kernel http store spec",
        "images": "registry kernel store spec",
        "engine": "images network volumes logs runtime store spec",
        "api": "engine http spec",
        "daemon": "api engine images network volumes logs runtime registry store http kernel spec",
        "client": "http spec",
        "cli": "client spec",
    }.items()
}

FILES = sorted(SOURCE.rglob("*.py"))
PACKAGES = sorted(path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__")


def imported(path: Path) -> list[tuple[int, str]]:
    """Every module that a file imports anywhere in it, with the line; a relative import as its dots."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, name.name) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, "." * node.level + (node.module or "")))
            if node.module == "pier":
                found += [(node.lineno, f"pier.{name.name}") for name in node.names]
    return found


def test_every_package_has_its_row_in_the_table() -> None:
    assert set(PACKAGES) <= set(MAY_IMPORT), "a new package needs a row here and a line in ARCHITECTURE.md"


def test_the_table_itself_points_downwards() -> None:
    for package, below in MAY_IMPORT.items():
        for other in below:
            assert package not in MAY_IMPORT[other], f"{package} and {other} import each other"


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down_the_table(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = []
    for path in sorted((SOURCE / package).rglob("*.py")):
        for line, module in imported(path):
            parts = module.split(".")
            if parts[0] == "pier" and len(parts) > 1 and parts[1] not in allowed | {"__version__"}:
                wrong.append(f"{path.relative_to(SOURCE)}:{line}: {package} may not import {module}")
    assert not wrong, "\n".join(wrong)


def test_no_import_is_relative_or_of_everything() -> None:
    wrong = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
            if isinstance(node, ast.ImportFrom) and (node.level or any(name.name == "*" for name in node.names)):
                wrong.append(f"{path.relative_to(SOURCE)}:{node.lineno}")
    assert not wrong, "\n".join(wrong)


def test_only_the_daemon_builds_the_engine() -> None:
    """`daemon/wiring.py` is the one place that builds objects of every floor."""
    wrong = [
        f"{path.relative_to(SOURCE)}:{line}"
        for path in FILES
        if path.relative_to(SOURCE).parts[0] != "daemon"
        for line, module in imported(path)
        if module.startswith("pier.daemon")
    ]
    assert not wrong, "\n".join(wrong)

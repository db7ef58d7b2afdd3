"""The shape of the tree: sizes, docstrings, a suite for every package, and calls that an accident or a CVE forbids."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "pier"
LIMIT = 400

# Tables of data, not code: their length is that of a standard.
DATA = {"spec/seccomp_profile.py", "spec/seccomp_data.py", "engine/name_lists.py"}

BANNED = {
    "pickle": "unpickling runs code; records are typed documents",
    "marshal": "as pickle",
    "eval": "input is parsed, never run",
    "exec": "input is parsed, never run",
    "os.system": "programs are started with argument lists",
    "os.popen": "programs are started with argument lists",
    "tarfile.extract": "images/ unpacks with openat2(RESOLVE_IN_ROOT)",
    "tempfile.mktemp": "a race for whoever makes the file first",
}


def sources(*folders: str) -> list[Path]:
    """Python files of the given folders of the project."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_no_file_is_longer_than_a_reader_bears() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in sources("src", "tests", "bench")
        if (lines := len(path.read_text().splitlines())) > LIMIT and str(path.relative_to(SOURCE.parent / "pier")
            if path.is_relative_to(SOURCE) else path.name) not in DATA
    ]  # fmt: skip
    assert not long, "split these:\n" + "\n".join(long)


def test_every_file_says_what_lives_in_it() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources("src", "tests", "bench")
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_bytes()))
    ]
    assert not silent, "no module docstring:\n" + "\n".join(silent)


def test_every_package_has_a_suite() -> None:
    packages = [path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"]
    without = [package for package in packages if not list((ROOT / "tests" / package).glob("**/test_*.py"))]
    assert not without, f"packages without tests: {', '.join(sorted(without))}"


@pytest.mark.parametrize("call", sorted(BANNED))
def test_banned_calls_are_absent(call: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources("src", "bench")
        for line, name in _names(path)
        if name == call
    ]
    assert not wrong, f"{call}: {BANNED[call]}\n" + "\n".join(wrong)


def test_no_program_is_started_through_a_shell() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources("src", "tests", "bench")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.keyword) and node.arg == "shell" and not (
            isinstance(node.value, ast.Constant) and node.value.value is False
        )
    ]  # fmt: skip
    assert not wrong, "\n".join(wrong)


def test_the_daemon_never_forks() -> None:
    """Forks come from the spawner (`runtime/`) alone: `pierd` has threads and a large heap."""
    calls = re.compile(r"\bos\.fork\(|\bos\.forkpty\(|multiprocessing|ProcessPoolExecutor|\bpreexec_fn\b")
    wrong = [
        f"{path.relative_to(SOURCE)}:{number}"
        for path in sources("src")
        if path.relative_to(SOURCE).parts[0] not in ("runtime", "kernel")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if calls.search(line.partition("#")[0]) and not line.lstrip().startswith(('"', "'"))
    ]
    assert not wrong, "\n".join(wrong)


def _names(path: Path) -> list[tuple[int, str]]:
    """Names that a file calls or imports, dotted as written."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found.append((node.lineno, name))
            if name.rpartition(".")[2] in ("extractall", "extract") and "tar" in name.lower():
                found.append((node.lineno, "tarfile.extract"))
        elif isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, node.module or ""))
    return found

"""The house: targets, locks, scripts and documents hold together, and no file names a host or a workplace."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = (
    *("setup", "run", "test", "test-slow", "test-vm", "lint", "bench"),
    *("check", "install", "uninstall", "lock", "clean", "help"),
)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def tracked() -> list[Path]:
    """Files under version control, or every file where git is not there (an unpacked archive)."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        return [path for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts]
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def targets() -> set[str]:
    """Targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_promised_target_is_there() -> None:
    assert set(TARGETS) <= targets()


@pytest.mark.parametrize("target", [target for target in TARGETS if target != "help"])
def test_make_can_read_each_target(target: str) -> None:
    dry = subprocess.run(["make", "-n", "-C", str(ROOT), target], capture_output=True, text=True, check=False)
    assert dry.returncode == 0, dry.stderr


def test_ci_calls_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()


def test_documents_name_only_targets_that_exist() -> None:
    known = targets()
    for document in DOCUMENTS:
        for target in re.findall(r"`(?:sudo )?make ([a-z-]+)", document.read_text()):
            assert target in known, f"{document.name} names `make {target}`"


def test_documents_link_to_files_that_exist() -> None:
    broken = [
        f"{document.relative_to(ROOT)}: {link}"
        for document in DOCUMENTS
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text())
        if "://" not in link and not (document.parent / link).exists()
    ]
    assert not broken, "\n".join(broken)


def test_documents_name_only_source_files_that_exist() -> None:
    broken = [
        f"{document.relative_to(ROOT)}: {name}"
        for document in DOCUMENTS
        for name in re.findall(
            r"`((?:src|tests|scripts|packaging|bench|docs)/[\w./-]+\.(?:py|sh|md|service|socket))`",
            document.read_text(),
        )
        if not (ROOT / name).exists()
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_version_and_a_hash(lock: str) -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", "\n" + (ROOT / lock).read_text())
    packages = [block for block in blocks if block.strip() and not block.strip().startswith("#")]
    assert packages
    for block in packages:
        assert re.match(r"\n?[a-z0-9_.-]+==[\w.]+ ", block), block[:60]
        assert "--hash=sha256:" in block, block[:60]


def test_the_locks_hold_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for lock, wanted in (
        ("requirements.lock", project["dependencies"]),
        ("requirements-dev.lock", project["dependencies"] + project["optional-dependencies"]["dev"]),
    ):
        locked = set(re.findall(r"^([a-z0-9_.-]+)==", (ROOT / lock).read_text(), re.MULTILINE))
        assert {re.match(r"[\w.-]+", name)[0] for name in wanted} <= locked  # type: ignore[index]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_name_no_registry(lock: str) -> None:
    assert not re.search(r"https?://|--index-url|--extra-index|--find-links|file:/", (ROOT / lock).read_text())


def test_programs_are_declared_as_the_launchers_start_them() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    launchers = (ROOT / "scripts" / "launchers.sh").read_text()
    for name, target in scripts.items():
        assert f"launcher {name} {target.partition(':')[0]} " in launchers


def test_scripts_are_clean_and_executable() -> None:
    scripts = [*ROOT.glob("scripts/*.sh"), *ROOT.glob("packaging/*.sh"), ROOT / ".ci" / "run"]
    assert all(script.stat().st_mode & 0o111 for script in scripts)
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    checked = subprocess.run(["shellcheck", *map(str, scripts)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_no_file_speaks_of_a_workplace() -> None:
    """Files are for whoever clones the project: no path of one machine, no address of a private registry."""
    # Written in pieces, so that this file does not hold what it looks for.
    words = re.compile(
        "|".join(("/wo" + "rk/", r"\.\./sha" + "red", "/opt/py" + "pi", "/opt/wh" + "eels", "pypi" + r"\.org"))
    )
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked()
        if path.suffix in (".py", ".sh", ".md", ".toml", ".lock", ".service", ".socket", "") and path.name != "LICENSE"
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if words.search(line)
    ]
    assert not wrong, "\n".join(wrong)

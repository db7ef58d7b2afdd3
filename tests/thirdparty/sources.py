"""Fetches a library's source package, with its tests, in the locked version, and what those tests import."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "thirdparty"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def locked(package: str) -> str:
    """The version in the development lock."""
    found = re.search(rf"^{package}==(\S+)", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)
    assert found, f"{package} is not locked"
    return found[1]


def unpacked(package: str) -> Path:
    """The directory of the source package, downloaded by pip once per version."""
    name = f"{package}-{locked(package)}"
    target = BUILD / name
    if not target.is_dir():
        BUILD.mkdir(parents=True, exist_ok=True)
        _pip("download", "--no-binary", ":all:", "--no-deps", "--dest", str(BUILD), f"{package}=={locked(package)}")
        subprocess.run(["tar", "-xf", str(BUILD / f"{name}.tar.gz"), "-C", str(BUILD), "--no-same-owner"], check=True)
    return target


def site() -> Path:
    """A directory for PYTHONPATH with what the tests import."""
    target = BUILD / "site"
    stamp = target / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != REQUIREMENTS.read_text():
        shutil.rmtree(target, ignore_errors=True)
        _pip("install", "--quiet", "--target", str(target), "--requirement", str(REQUIREMENTS))
        shutil.copy(REQUIREMENTS, stamp)
    return target


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], check=True)

"""`make test-vm`: boot the virtual machine, run suites in it, print what they print, and give their exit status.

The machine has no network. Emulated, it is ten to thirty times slower than the host: limits on time are raised, and
how long everything took is printed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.vm import image

ROOT = Path(__file__).parents[2]
SUITES = ("tests/vm", "tests/kernel", "tests/runtime", "tests/network", "tests/volumes")
COPIED = ("src", "tests", "scripts", "packaging", "bench", "docs", ".venv", "Makefile", "pyproject.toml")
LIMIT_SECONDS = 3600
# Emulated unless asked otherwise: a /dev/kvm that is there need not work (inside another virtual machine it may hang).
ACCELERATOR = os.environ.get("PIER_VM_ACCELERATOR", "tcg,thread=multi")


def main() -> int:
    """Run the suites named on the command line, or SUITES; the status is pytest's."""
    suites = sys.argv[1:] or [suite for suite in SUITES if (ROOT / suite).is_dir()]
    begin = time.monotonic()
    machine = image.make()
    with tempfile.TemporaryDirectory(prefix="pier-vm-") as directory:
        disk = project_disk(Path(directory), suites)
        prepared = time.monotonic()
        print(f"prepared in {prepared - begin:.0f} s; booting", file=sys.stderr, flush=True)
        status, output = boot(machine, disk, Path(directory))
    print(f"virtual machine ({ACCELERATOR}) ran {time.monotonic() - prepared:.0f} s", file=sys.stderr)
    if status is None:
        print(f"the virtual machine ended without a result:\n{output[-4000:]}", file=sys.stderr)
        return 70
    return status


def project_disk(directory: Path, suites: list[str]) -> Path:
    """An ext4 image of the project, with the command to run."""
    tree = directory / "project"
    tree.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, symlinks=True, ignore=shutil.ignore_patterns("results"))
        elif source.exists():
            shutil.copy(source, tree / name)
    (tree / "README.md").write_text("")
    (tree / ".vm").mkdir()
    variables = "PIER_VM=1 PIER_ALONE=1 HOME=/root LANG=C.UTF-8"
    options = "-p no:cacheprovider -m 'not peer and not slow' --timeout=1200 --color=no --durations=5"
    (tree / ".vm" / "run").write_text(f"export {variables}\n.venv/bin/python -m pytest {options} {' '.join(suites)}\n")
    disk = directory / "project.ext4"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(disk), "2G"], check=True)
    shutil.rmtree(tree)
    return disk


def boot(machine: image.Image, disk: Path, directory: Path) -> tuple[int | None, str]:
    """Run the machine to its end, printing the tests' output as it comes."""
    console, result = directory / "console", directory / "result"
    result.touch()
    command = [
        "qemu-system-x86_64", "-machine", "q35", "-accel", ACCELERATOR, "-cpu", "max", "-smp", "2",
        "-m", "3072", "-nodefaults", "-no-reboot", "-display", "none", "-nic", "none",
        "-kernel", str(machine.kernel), "-initrd", str(machine.initrd),
        "-append", f"root=/dev/vda ro console=ttyS0 apparmor=1 security=apparmor pier.project={ROOT}",
        "-drive", f"file={machine.root},format=raw,if=virtio,snapshot=on",
        "-drive", f"file={disk},format=raw,if=virtio",
        "-device", "virtio-rng-pci",
        "-serial", f"file:{console}", "-serial", f"file:{result}",
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as qemu, result.open(newline="") as stream:
        deadline = time.monotonic() + LIMIT_SECONDS
        output = ""
        while True:
            ended = qemu.poll() is not None
            piece = stream.read().replace("\r\n", "\n")
            output += piece
            sys.stdout.write(piece)
            sys.stdout.flush()
            if ended:
                break
            if time.monotonic() > deadline:
                qemu.kill()
                output += f"\nended by force after {LIMIT_SECONDS} s"
            time.sleep(0.2)
    found = re.search(r"PIER-VM-EXIT (\d+)", output)
    return (int(found[1]), output) if found else (None, output + console.read_text(errors="replace"))


if __name__ == "__main__":
    sys.exit(main())

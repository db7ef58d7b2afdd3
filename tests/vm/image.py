"""The root file system of the virtual machine: Debian 12 with its cloud kernel and systemd, by mmdebstrap, kept."""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.images import CACHE

PACKAGES = (
    "linux-image-cloud-amd64 initramfs-tools systemd systemd-sysv dbus udev kmod python3 python3-venv iproute2 "
    "nftables iptables busybox-static tini libseccomp2 ca-certificates procps util-linux tmux apparmor mmdebstrap"
)

# Runs once the machine is up: the project's disk is mounted where the project lies on the host, for .venv to work.
START = """\
#!/bin/sh
project=$(sed -n 's/.*pier\\.project=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
mkdir -p "$project"
mount /dev/vdb "$project"
cd "$project"
# an address that is not loopback, as every host has one
ip address add 192.0.2.1/32 dev lo
sh .vm/run >/dev/ttyS1 2>&1 </dev/null
echo "PIER-VM-EXIT $?" >/dev/ttyS1
sync
systemctl poweroff --force
"""

UNIT = """\
[Unit]
Description=The tests of Pier
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/pier-vm
Delegate=yes
TimeoutStartSec=infinity

[Install]
WantedBy=graphical.target multi-user.target
"""


@dataclass(frozen=True)
class Image:
    """Files that qemu boots."""

    root: Path
    kernel: Path
    initrd: Path


def make() -> Image:
    """Give the image, making it when it is not there or its recipe has changed (some minutes, with downloads)."""
    key = hashlib.sha256(f"{PACKAGES}{START}{UNIT}3".encode()).hexdigest()[:12]
    directory = CACHE / f"vm-{key}"
    image = Image(directory / "root.ext4", directory / "vmlinuz", directory / "initrd")
    if not image.root.exists():
        print(
            "making the virtual machine's root file system (once per machine, some minutes)",
            file=sys.stderr,
            flush=True,
        )
        for old in CACHE.glob("vm-*"):
            shutil.rmtree(old)
        directory.mkdir(parents=True)
        tree = directory / "tree"
        _bootstrap(tree)
        _prepare(tree)
        shutil.copy(next(tree.glob("boot/vmlinuz-*")), image.kernel)
        shutil.copy(next(tree.glob("boot/initrd.img-*")), image.initrd)
        partial = directory / "root.partial"
        _run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(tree), str(partial), "6G")
        shutil.rmtree(tree)
        partial.rename(image.root)
    return image


def _bootstrap(tree: Path) -> None:
    include = ",".join(PACKAGES.split())
    _run("mmdebstrap", "--mode=root", "--variant=minbase", "--quiet", f"--include={include}", "bookworm", str(tree))


def _prepare(tree: Path) -> None:
    (tree / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
    (tree / "etc/hostname").write_text("pier-vm\n")
    start = tree / "usr/local/sbin/pier-vm"
    start.write_text(START)
    start.chmod(0o755)
    (tree / "etc/systemd/system/pier-tests.service").write_text(UNIT)
    for unit in (
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
        "e2scrub_all.timer",
        "fstrim.timer",
        "getty@tty1.service",
    ):
        _run("chroot", str(tree), "systemctl", "--quiet", "mask", unit)
    _run("chroot", str(tree), "systemctl", "--quiet", "enable", "pier-tests.service")
    if docker := shutil.which("docker"):
        shutil.copy(docker, tree / "usr/local/bin/docker")
    _run("chroot", str(tree), "groupadd", "--system", "docker")


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[:4])} … failed\n{done.stderr[-3000:]}")

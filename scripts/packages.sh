#!/bin/bash
# Install the Debian packages of the named groups (run, test, vm). Asks apt only when one is missing.
# A newly installed docker.io must not leave a daemon running: its programs are tools here, not services.
set -euo pipefail

declare -A groups=(
    [run]="python3 python3-venv ca-certificates libseccomp2 libnftables1 busybox-static mmdebstrap debian-archive-keyring tini iproute2"
    [test]="git shellcheck tmux nftables iptables docker-registry skopeo runc docker.io curl openssl"
    [vm]="qemu-system-x86 qemu-utils e2fsprogs mmdebstrap"
)

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

wanted=()
for group in "$@"; do
    # shellcheck disable=SC2206  # a list of words
    wanted+=(${groups[$group]})
done
# A docker command line on PATH is used as it is; otherwise Debian's comes with docker.io.
[[ " $* " == *" run "* ]] && ! command -v docker >/dev/null && wanted+=(docker.io)

missing=()
for package in "${wanted[@]}"; do
    installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

command -v apt-get >/dev/null || { echo "these packages are needed, and there is no apt-get here: ${missing[*]}" >&2; exit 1; }
echo "installing Debian packages: ${missing[*]}"

policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q=2
apt-get install -q=2 -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null
if [[ " ${missing[*]} " == *" docker.io "* ]] && [ -d /run/systemd/system ]; then
    systemctl disable --quiet docker.service docker.socket containerd.service 2>/dev/null || true
fi

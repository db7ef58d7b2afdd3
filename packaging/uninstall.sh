#!/bin/bash
# Remove what install.sh made. Containers that run go on; data under /var/lib/pier stays.
set -euo pipefail

prefix=${PREFIX:-/opt/pier}
links=${LINKS:-/usr/local/bin}
units=${UNITS:-/etc/systemd/system}

[ "$(id -u)" = 0 ] || { echo "removing needs root" >&2; exit 1; }

if [ -d /run/systemd/system ] && [ -e "$units/pier.service" ]; then
    systemctl disable --now --quiet pier.service pier.socket || true
fi
rm -f "$units/pier.service" "$units/pier.socket"
for program in pier pierd pier-runtime; do
    [ "$(readlink "$links/$program" || true)" = "$prefix/bin/$program" ] && rm -f "$links/$program"
done
rm -rf "$prefix"
[ -d /run/systemd/system ] && systemctl daemon-reload
echo "removed $prefix; images, containers and volumes stay in /var/lib/pier"

#!/bin/bash
# Install Pier into PREFIX (/opt/pier): programs with an environment of their own, links in /usr/local/bin, and systemd units where
# systemd runs. An upgrade replaces the old tree by one rename; running containers do not notice.
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${PREFIX:-/opt/pier}
links=${LINKS:-/usr/local/bin}
units=${UNITS:-/etc/systemd/system}

[ "$(id -u)" = 0 ] || { echo "installing needs root" >&2; exit 1; }

new="$prefix.new" old="$prefix.old"
rm -rf "$new" "$old"
mkdir -p "$new/bin" "$new/lib" "$new/share/doc"
/usr/bin/python3 -m venv "$new/venv"
"$new/venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --retries 5 --require-hashes -r requirements.lock
cp -r src/pier "$new/lib/pier"
find "$new/lib" -name __pycache__ -type d -prune -exec rm -rf {} +
cp ./*.md "$new/share/doc/"
# An environment knows its own path: everything is written for the place where it will stand.
grep -rlI "$new" "$new/venv/bin" "$new/venv/pyvenv.cfg" | xargs sed -i "s|$new|$prefix|g"
scripts/launchers.sh "$prefix/venv" "$prefix/lib" "$new/bin"
"$new/venv/bin/python" -m compileall -q -s "$new" -p "$prefix" "$new/lib"

[ -e "$prefix" ] && mv "$prefix" "$old"
mv "$new" "$prefix"
rm -rf "$old"

mkdir -p "$links"
for program in pier pierd pier-runtime; do
    ln -sfn "$prefix/bin/$program" "$links/$program"
done
getent group docker >/dev/null || groupadd --system docker

if [ -d /run/systemd/system ]; then
    for unit in pier.service pier.socket; do
        sed "s|/opt/pier|$prefix|g" "packaging/$unit" >"$units/$unit"
    done
    systemctl daemon-reload
    systemctl enable --quiet pier.socket pier.service
    systemctl restart pier.socket pier.service
    echo "installed into $prefix; pier.service is running"
else
    echo "installed into $prefix; there is no systemd here: start the daemon with $links/pierd"
fi

#!/bin/bash
# Make .venv from a lock file (run or test) with Debian's Python, checking every hash. Does nothing when it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-run}" in
    run) lock=requirements.lock ;;
    test) lock=requirements-dev.lock ;;
    *) echo "usage: venv.sh run|test" >&2; exit 2 ;;
esac

python=/usr/bin/python3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed at $python" >&2; exit 1; }

stamp=".venv/.locked-$(cat requirements.lock "$lock" | sha256sum | cut -c1-16)-${1:-run}"
[ -e "$stamp" ] && exit 0
# The environment of the tests holds all that running needs.
if [ "${1:-run}" = run ]; then
    test_stamp=".venv/.locked-$(cat requirements.lock requirements-dev.lock | sha256sum | cut -c1-16)-test"
    [ -e "$test_stamp" ] && exit 0
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv
echo "making .venv from $lock"
.venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check --retries 5 --require-hashes -r "$lock" 2> >(grep -v "is neither a file nor a directory" >&2)
# Programs run from the source tree: a path file and three launchers need no build tools.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$PWD/src" >"$site/pier-source.pth"
scripts/launchers.sh "$PWD/.venv" "$PWD/src"
rm -f .venv/.locked-*
touch "$stamp"

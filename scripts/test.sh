#!/bin/bash
# Run pytest on everything but the virtual machine's suites, or on what is named. The exit status is also written to the file
# that PIER_TEST_STATUS names, since make replaces it by its own.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

status=0
.venv/bin/python -m pytest -m "not vm" "$@" || status=$?
[ -n "${PIER_TEST_STATUS:-}" ] && echo "$status" >"$PIER_TEST_STATUS"
exit "$status"

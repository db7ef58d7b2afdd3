#!/bin/bash
# Run pytest on everything but the virtual machine's suites and the long runs, or on what is named. The exit status is also written to the file
# that PIER_TEST_STATUS names, since make replaces it by its own.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

# Directories of this run alone: pytest's own place is shared with whoever else runs it, and cleaned while others use it.
base=$(mktemp -d /tmp/pier-pytest.XXXXXX)
trap 'rm -rf --one-file-system "$base"' EXIT

status=0
.venv/bin/python -m pytest --basetemp="$base" -m "not vm and not slow" "$@" || status=$?
[ -n "${PIER_TEST_STATUS:-}" ] && echo "$status" >"$PIER_TEST_STATUS"
exit "$status"

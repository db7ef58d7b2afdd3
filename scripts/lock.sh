#!/bin/bash
# Resolve pyproject.toml into the two lock files, with hashes and without the name of any host.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options "$@" pyproject.toml
}
compile -o requirements.lock
compile --extra dev -o requirements-dev.lock

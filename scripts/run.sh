#!/bin/bash
# `make run`: a pierd that answers, a base image, a docker context, and a Debian container that shows where it is.
# PIER_HOST, PIER_DATA_ROOT, PIER_EXEC_ROOT and PIER_BIP choose another daemon than the default one.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$PWD/.venv/bin
host=${PIER_HOST:-unix:///run/pier/pier.sock}
context=${PIER_CONTEXT:-pier}
flags=(--host "$host")
[ -n "${PIER_HOST:-}" ] || flags=()
[ -n "${PIER_DATA_ROOT:-}" ] && flags+=(--data-root "$PIER_DATA_ROOT" --pidfile "$PIER_DATA_ROOT.pid")
[ -n "${PIER_EXEC_ROOT:-}" ] && flags+=(--exec-root "$PIER_EXEC_ROOT")
[ -n "${PIER_BIP:-}" ] && flags+=(--bip "$PIER_BIP")
log=${PIER_LOG:-/var/log/pierd.log}
pier=("$bin/pier" --host "$host")

answers() { "${pier[@]}" version >/dev/null 2>&1; }

if answers; then
    echo "pierd answers on $host"
else
    echo "starting pierd (its log: $log)"
    setsid "$bin/pierd" ${flags[@]+"${flags[@]}"} >>"$log" 2>&1 </dev/null &
    daemon=$!
    for _ in $(seq 300); do
        answers && break
        kill -0 "$daemon" 2>/dev/null || { echo "pierd did not start:" >&2; tail -20 "$log" >&2; exit 1; }
        sleep 0.1
    done
    answers || { echo "pierd does not answer after 30 seconds; see $log" >&2; exit 1; }
fi

image=debian:bookworm
if ! "${pier[@]}" image inspect $image >/dev/null 2>&1; then
    echo "pulling $image"
    if ! "${pier[@]}" pull $image; then
        echo "no registry can be reached: making base images from Debian's packages"
        "${pier[@]}" image bootstrap busybox
        "${pier[@]}" image bootstrap $image
    fi
fi

if command -v docker >/dev/null; then
    docker context inspect "$context" >/dev/null 2>&1 || docker context create "$context" \
        --description "Pier container engine" --docker "host=$host" >/dev/null
fi

echo
echo "pier run --rm -i $image /bin/sh -s:"
begin=$(date +%s%N)
"${pier[@]}" run --rm -i $image /bin/sh -s "$begin" <<'SHOW'
now=$(date +%s%N)
printf '  PID 1     %s, and this shell is PID %s\n' "$(tr '\0' ' ' </proc/1/cmdline | cut -c1-10)" $$
printf '  hostname  %s\n' "$(hostname)"
printf '  address   %s\n' "$(hostname -i 2>/dev/null || tail -1 /etc/hosts)"
printf '  system    %s\n' "$(. /etc/os-release; echo "$PRETTY_NAME")"
printf '  start     %d ms from the command to its first instruction\n' $(((now - $1) / 1000000))
SHOW

echo
echo "A container of your own:  $bin/pier run -i -t $image /bin/bash"
command -v docker >/dev/null && echo "The docker command line:  docker context use $context"
exit 0

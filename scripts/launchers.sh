#!/bin/bash
# Write the launchers of the three programs: launchers.sh ENVIRONMENT SOURCE [BIN]. Both a shell script and a Python file, since the
# kernel cuts a "#!" line at a space and at 127 bytes.
set -euo pipefail
environment=$1 source=$2 bin=${3:-$1/bin}

launcher() { # launcher NAME MODULE FLAGS
    cat >"$bin/$1" <<LAUNCHER
#!/bin/sh
'''exec' "$environment/bin/python" $3 "\$0" "\$@"
' '''
import sys

sys.path.insert(0, "$source")

from $2 import main

if __name__ == "__main__":
    sys.exit(main())
LAUNCHER
    chmod 755 "$bin/$1"
}

# The command line needs nobody else's package: without site (-S) it starts sooner.
launcher pier pier.cli.main -IS
launcher pierd pier.daemon.main ""
launcher pier-runtime pier.runtime.main ""

#!/bin/sh
# Fills in a template of this folder from the environment and becomes Mosquitto. Containers, systemd and the tests all
# start it in this way, so that all of them run the same files.
#   PORT=... STORE=... mosquitto.sh TEMPLATE CONFIG
# With WATCH="FILE..." it has Mosquitto read these files again when one changes (reloaded.sh).
set -eu
PATH="$PATH:/usr/sbin"
awk '
/^#/ { next }
{
  line = ""
  while (match($0, /\$[A-Z_]+/)) {
    name = substr($0, RSTART + 1, RLENGTH - 1)
    if (!(name in ENVIRON)) { print "mosquitto.sh: " name " is not set" > "/dev/stderr"; exit 1 }
    line = line substr($0, 1, RSTART - 1) ENVIRON[name]
    $0 = substr($0, RSTART + RLENGTH)
  }
  print line $0
}' "$1" >"$2"
exec "$(dirname "$0")/reloaded.sh" mosquitto -c "$2"

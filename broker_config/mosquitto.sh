#!/bin/sh
# Fills in a template of this folder from the environment and becomes Mosquitto. Containers, systemd and the tests all
# start it in this way, so that all of them run the same files.
#   PORT=... STORE=... mosquitto.sh TEMPLATE CONFIG
# With WATCH="FILE..." it stays beside Mosquitto and sends it a SIGHUP within a second of a change of one of these files.
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
[ -n "${WATCH:-}" ] || exec mosquitto -c "$2"

mosquitto -c "$2" &
broker=$!
trap 'kill -TERM $broker' TERM INT
trap 'kill -HUP $broker' HUP
seen=$(cksum $WATCH 2>&1 || true)
while kill -0 $broker 2>/dev/null; do
  sleep 1 & # in the background, so that a signal is taken at once
  wait $! || true
  now=$(cksum $WATCH 2>&1 || true)
  [ "$now" = "$seen" ] || { seen=$now; kill -HUP $broker; }
done
wait $broker

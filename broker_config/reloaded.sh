#!/bin/sh
# Runs a broker and sends it a SIGHUP within a second of a change of one of the files in WATCH. Without WATCH it becomes it.
#   WATCH="FILE..." reloaded.sh COMMAND...
set -eu
[ -n "${WATCH:-}" ] || exec "$@"
"$@" &
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

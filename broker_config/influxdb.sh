#!/bin/sh
# Becomes InfluxDB (influxdb.conf, and what INFLUXDB_* say over it). At the first start it makes the one account, with the
# password in the file PASSWORD_FILE; nobody is let in before.
set -eu
config="$(dirname "$0")/influxdb.conf"
made="$INFLUXDB_META_DIR/account-made"
mkdir -p "$INFLUXDB_META_DIR"
if [ ! -e "$made" ]; then
  INFLUXDB_HTTP_BIND_ADDRESS="$FIRST_BIND_ADDRESS" influxd -config "$config" &
  server=$!
  trap 'kill "$server"' EXIT
  until curl -fsS -o /dev/null "http://$FIRST_BIND_ADDRESS/ping" 2>/dev/null; do
    kill -0 "$server"
    sleep 0.2
  done
  password=$(cat "$PASSWORD_FILE")
  curl -fsS -o /dev/null "http://$FIRST_BIND_ADDRESS/query" \
    --data-urlencode "q=CREATE USER linli WITH PASSWORD '$password' WITH ALL PRIVILEGES"
  trap - EXIT
  kill "$server"
  wait "$server" || true
  touch "$made"
fi
exec influxd -config "$config"

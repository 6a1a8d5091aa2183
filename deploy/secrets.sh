#!/usr/bin/env bash
# The secrets that docker-compose.yml and the systemd units read: certificates, passwords, the key that profiles are signed
# with. What is there already is left alone, so it may be run again; certificates that end soon are made anew.
#   deploy/secrets.sh cloud DIR HOST...       the cloud's, for a broker that gateways reach under these names
#   deploy/secrets.sh site OUT                the password by which the agent signs in at a containerised local broker
# Gateways come in by claims (docs/installer.md), and are shut out in the console: nothing is made for them here.
# The root authorities' keys (DIR/authorities) are needed here only: keep them off the machine that serves.
set -euo pipefail
umask 077
OWNER=10001:10001 # whom the containers run as

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }

cloud_api() { # the program where it is installed, else in its image
  if command -v cloud-api >/dev/null; then
    cloud-api "$@"
  else
    docker run --rm --network none --user "$(id -u):$(id -g)" -v "$PWD:$PWD" -w "$PWD" linli/cloud:0.1.0 "$@"
  fi
}

own() { # the containers may read, nobody else
  find "$1" -type d -exec chmod 0750 {} +
  find "$1" -type f -exec chmod 0440 {} +
  [ "$(id -u)" -ne 0 ] || chown -R "$OWNER" "$1"
}

password() { [ -s "$1" ] || openssl rand -hex 24 >"$1"; }

case "${1:-}" in
  cloud)
    [ $# -ge 3 ] || usage
    dir=$2; shift 2
    mkdir -p "$dir/authorities"
    cloud_api authority create "$dir" "$@"
    password "$dir/postgres_password"
    password "$dir/influxdb_password"
    [ -s "$dir/profile_signing_key.pem" ] || openssl genpkey -algorithm ed25519 -out "$dir/profile_signing_key.pem"
    for part in broker services gateways access; do own "$dir/$part"; done
    for file in "$dir"/{postgres,influxdb}_password "$dir/profile_signing_key.pem"; do
      chmod 0440 "$file"
      [ "$(id -u)" -ne 0 ] || chown "$OWNER" "$file"
    done
    ;;
  site)
    [ $# -eq 2 ] || usage
    mkdir -p "$2/access"
    password "$2/agent_password"
    [ -s "$2/access/devices.acl" ] || cp "$(dirname "$0")/../broker_config/devices.acl" "$2/access/devices.acl"
    touch "$2/access/passwords"
    PATH="$PATH:/usr/sbin" mosquitto_passwd -b "$2/access/passwords" agent "$(cat "$2/agent_password")"
    own "$2"
    ;;
  *) usage ;;
esac

#!/usr/bin/env bash
# The secrets that docker-compose.yml and the systemd units read: certificates, passwords, the key that profiles are signed
# with. What is there already is left alone, so it may be run again.
#   deploy/secrets.sh cloud DIR HOST...       the cloud's, for a broker that gateways reach under these names
#   deploy/secrets.sh gateway DIR ID OUT      a gateway's certificate, and by which keys it knows cloud and profiles, into OUT
#   deploy/secrets.sh revoke DIR ID           put that certificate on the list of revoked ones
#   deploy/secrets.sh site OUT                the password by which the agent signs in at a containerised local broker
# The authorities' keys (DIR/authorities) are needed here only: keep them off the machine that serves.
set -euo pipefail
umask 077
OWNER=10001:10001 # whom the containers run as
AUTHORITY_DAYS=3650
SERVER_DAYS=365
CLIENT_DAYS=90

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }

key() { [ -s "$1" ] || openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"; }

authority() { # NAME
  key "$1.key"
  [ -s "$1.pem" ] || openssl req -x509 -new -key "$1.key" -out "$1.pem" -days "$AUTHORITY_DAYS" -subj "/CN=Linli $(basename "$1")" \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign
}

certificate() { # AUTHORITY STEM NAME DAYS EXTENSIONS
  key "$2.key"
  [ -s "$2.pem" ] && return
  openssl req -new -key "$2.key" -subj "/CN=$3" |
    openssl x509 -req -CA "$1.pem" -CAkey "$1.key" -CAserial "$1.srl" -CAcreateserial -days "$4" -sha256 \
      -extfile <(printf '%b' "basicConstraints=critical,CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n$5\n") -out "$2.pem" 2>/dev/null
}

crl() { # AUTHORITY OUT [CERTIFICATE]: the list of revoked certificates, with one more
  touch "$1.index"
  [ -s "$1.crlnumber" ] || echo 01 >"$1.crlnumber"
  local config
  config=$(printf '%s\n' "[ca]" "default_ca=ours" "[ours]" "database=$1.index" "crlnumber=$1.crlnumber" \
    "default_md=sha256" "default_crl_days=3650" "certificate=$1.pem" "private_key=$1.key")
  [ -z "${3:-}" ] || openssl ca -config <(echo "$config") -revoke "$3" 2>/dev/null
  openssl ca -config <(echo "$config") -gencrl -out "$2" 2>/dev/null
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
    mkdir -p "$dir"/{authorities,broker,services}
    authority "$dir/authorities/gateways-ca"
    authority "$dir/authorities/services-ca"
    names=$(printf 'DNS:%s,' "$@" cloud-broker localhost)
    certificate "$dir/authorities/services-ca" "$dir/broker/broker" "$1" "$SERVER_DAYS" \
      "extendedKeyUsage=serverAuth\nsubjectAltName=${names%,}"
    for name in cloud-api ingest-1 ingest-2 health; do
      certificate "$dir/authorities/services-ca" "$dir/services/$name" "$name" "$SERVER_DAYS" extendedKeyUsage=clientAuth
    done
    cp -f "$dir"/authorities/{gateways-ca,services-ca}.pem "$dir/broker/"
    [ -s "$dir/broker/gateways.crl" ] || crl "$dir/authorities/gateways-ca" "$dir/broker/gateways.crl"
    password "$dir/postgres_password"
    password "$dir/influxdb_password"
    [ -s "$dir/profile_signing_key.pem" ] || openssl genpkey -algorithm ed25519 -out "$dir/profile_signing_key.pem"
    openssl pkey -in "$dir/profile_signing_key.pem" -pubout -out "$dir/authorities/profile_key.pem"
    for part in broker services; do own "$dir/$part"; done
    for file in "$dir"/{postgres,influxdb}_password "$dir/profile_signing_key.pem"; do
      chmod 0440 "$file"
      [ "$(id -u)" -ne 0 ] || chown "$OWNER" "$file"
    done
    ;;
  gateway)
    [ $# -eq 4 ] || usage
    [[ "$3" =~ ^[a-z0-9][a-z0-9-]{0,62}$ ]] || { echo "secrets.sh: not a gateway's id: $3" >&2; exit 1; }
    mkdir -p "$4"
    certificate "$2/authorities/gateways-ca" "$4/gateway" "$3" "$CLIENT_DAYS" extendedKeyUsage=clientAuth
    cp -f "$2/authorities/services-ca.pem" "$4/cloud-ca.pem"
    cp -f "$2/authorities/profile_key.pem" "$4/profile_key.pem"
    mkdir -p "$2/authorities/issued"
    cp -f "$4/gateway.pem" "$2/authorities/issued/$3.pem"
    own "$4"
    ;;
  revoke)
    [ $# -eq 3 ] || usage
    crl "$2/authorities/gateways-ca" "$2/broker/gateways.crl" "$2/authorities/issued/$3.pem"
    own "$2/broker"
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

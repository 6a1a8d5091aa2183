#!/usr/bin/env bash
# The real servers, the browser and the fault tools that the tests use, from Debian's packages. Missing is installed or
# is a failure. No server is started here and none is left running: tests start their own, on free ports.
set -euo pipefail
PATH="$PATH:/usr/sbin:/sbin"
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need mosquitto mosquitto
need mosquitto_sub mosquitto-clients
need influxd influxdb
need promtool prometheus
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
need chromium chromium
need strace strace
need faketime faketime
need nft nftables
need ip iproute2
need systemd-analyze systemd
need openssl openssl
need curl curl
fc-list 2>/dev/null | grep -qi 'wqy\|noto.*cjk' || missing+=(fontconfig fonts-wqy-zenhei)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "the tests need these packages, please install them: ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
if [[ " ${missing[*]} " == *" postgresql "* && ! -e /etc/postgresql-common/createcluster.conf ]]; then
  # Only the program is wanted, not a cluster of the machine's own.
  mkdir -p /etc/postgresql-common
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
fi
apt-get update -qq
RUNLEVEL=1 apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}" >/dev/null

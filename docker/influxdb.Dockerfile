# InfluxDB as Debian maintains it (1.6.7: what the tests run), with this repository's files.
#   docker build -f docker/influxdb.Dockerfile -t linli/influxdb .
FROM debian:12.12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends "influxdb=1.6.7*" curl \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 linli \
 && useradd --uid 10001 --gid linli --home-dir /var/lib/linli --shell /usr/sbin/nologin linli \
 && install -d -o linli -g linli -m 0750 /var/lib/linli
COPY broker_config /opt/linli/broker_config
USER 10001:10001
ENTRYPOINT ["/opt/linli/broker_config/influxdb.sh"]

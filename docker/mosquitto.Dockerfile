# Mosquitto as Debian maintains it (2.0.11 with its security fixes: what the tests run), with this repository's files.
#   docker build -f docker/mosquitto.Dockerfile -t linli/mosquitto .
FROM debian:12.12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends "mosquitto=2.0.11-*" "mosquitto-clients=2.0.11-*" \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 linli \
 && useradd --uid 10001 --gid linli --home-dir /var/lib/linli --shell /usr/sbin/nologin linli \
 && install -d -o linli -g linli -m 0750 /var/lib/linli /var/lib/linli-access
COPY broker_config /opt/linli/broker_config
USER 10001:10001
ENTRYPOINT ["/opt/linli/broker_config/mosquitto.sh"]

# The cloud: API, ingest, console. Build from the top folder:
#   docker build -f docker/cloud.Dockerfile -t linli/cloud .
FROM node:24.11.1-bookworm-slim AS console
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
# No pip in the image that runs.
RUN python -m venv /opt/build && python -m venv --without-pip /opt/linli
COPY locks/build.txt locks/cloud.txt locks/
RUN /opt/build/bin/pip install --only-binary :all: \
  --require-hashes -r locks/build.txt
RUN /opt/build/bin/pip --python /opt/linli/bin/python install --only-binary :all: \
  --require-hashes -r locks/cloud.txt
COPY pyproject.toml README.md LICENSE ./
COPY contracts contracts
COPY device_registry device_registry
COPY cloud_api cloud_api
# The profile language, and nothing else of the agent: the cloud checks what it pushes.
COPY edge_agent/__init__.py edge_agent/__init__.py
COPY edge_agent/profiles edge_agent/profiles
RUN /opt/build/bin/python -m hatchling build -t wheel -d /opt/wheels
RUN /opt/build/bin/pip --python /opt/linli/bin/python install --no-index --no-deps /opt/wheels/linli-*.whl
RUN rm /opt/linli/bin/edge-agent /opt/linli/bin/simulate

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 linli \
 && useradd --uid 10001 --gid linli --home-dir /var/lib/linli --shell /usr/sbin/nologin linli \
 && install -d -o linli -g linli -m 0750 /var/lib/linli /var/lib/linli-access
COPY --from=build /opt/linli /opt/linli
COPY --from=console /src/web/dist /opt/linli/console
ENV PATH=/opt/linli/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    LINLI_DATA_DIR=/var/lib/linli LINLI_CONSOLE=/opt/linli/console
USER 10001:10001
ENTRYPOINT ["cloud-api"]
CMD ["serve"]

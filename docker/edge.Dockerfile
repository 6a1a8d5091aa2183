# The gateway's agent: the edge extra and nothing of the cloud. Build from the top folder:
#   docker build -f docker/edge.Dockerfile -t linli/edge .
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
# No pip in the image that runs.
RUN python -m venv /opt/build && python -m venv --without-pip /opt/linli
COPY locks/build.txt locks/edge.txt locks/
RUN /opt/build/bin/pip install --only-binary :all: \
  --require-hashes -r locks/build.txt
RUN /opt/build/bin/pip --python /opt/linli/bin/python install --only-binary :all: \
  --require-hashes -r locks/edge.txt
COPY pyproject.toml README.md LICENSE ./
COPY contracts contracts
COPY edge_agent edge_agent
RUN /opt/build/bin/python -m hatchling build -t wheel -d /opt/wheels
RUN /opt/build/bin/pip --python /opt/linli/bin/python install --no-index --no-deps /opt/wheels/linli-*.whl
RUN rm /opt/linli/bin/cloud-api /opt/linli/bin/simulate

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 linli \
 && useradd --uid 10001 --gid linli --home-dir /var/lib/linli --shell /usr/sbin/nologin linli \
 && install -d -o linli -g linli -m 0750 /var/lib/linli \
 && install -d -o linli -g linli -m 0700 /etc/linli
COPY --from=build /opt/linli /opt/linli
ENV PATH=/opt/linli/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 LINLI_DATA_DIR=/var/lib/linli
USER 10001:10001
ENTRYPOINT ["edge-agent"]
CMD ["run"]

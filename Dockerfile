# sqm in an image: `docker build -t sqm .`, then `docker run -e SQM_KAFKA__BOOTSTRAP=… -p 8010:8010 sqm`.
FROM python:3.13-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY requirements.lock ./
# The uv that the lock file pins, by its hash.
RUN awk '/^uv==/ { found = 1; print; next } found && /^[^ ]/ { exit } found' requirements.lock > uv.lock \
 && pip install --no-cache-dir --require-hashes -r uv.lock \
 && uv venv /opt/sqm
COPY deploy/requirements.lock deploy/
RUN uv pip install --python /opt/sqm/bin/python --require-hashes -r deploy/requirements.lock
COPY . .
RUN uv pip install --python /opt/sqm/bin/python --no-deps .

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home --home-dir /data sqm && mkdir /data && chown sqm /data
COPY --from=build /opt/sqm /opt/sqm
ENV PATH=/opt/sqm/bin:$PATH PYTHONUNBUFFERED=1 SQM_DATA_DIR=/data SQM_API__HOST=0.0.0.0 SQM_API__PORT=8010
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8010
# For `run` and `api`; a container of another role needs none.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"SQM_API__PORT\"]}/healthz', timeout=4)"]
ENTRYPOINT ["sqm"]
CMD ["run"]

# The sidecar as an image. Two stages: one builds the front end and the packages, the other runs them.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml requirements.txt requirements-node.txt README.md LICENSE Makefile babel.cfg ./
COPY tools tools
COPY hooks hooks
COPY pdfops pdfops
COPY plugin plugin
RUN make .venv/.run ui \
 && .venv/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && .venv/bin/python -m pip download --require-hashes --only-binary :all: --dest /wheels -r requirements.txt

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin parapheur \
 && mkdir -m 0700 /data && chown parapheur /data
COPY requirements.txt /tmp/requirements.txt
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels --require-hashes -r /tmp/requirements.txt \
 && pip install --no-cache-dir --no-index --find-links /wheels --no-deps parapheur \
 && rm /tmp/requirements.txt
USER parapheur
VOLUME /data
ENV APP_HOST=0.0.0.0 APP_PORT=23000 APP_PERSISTENT_STORAGE=/data PYTHONUNBUFFERED=1
EXPOSE 23000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import os,urllib.request as r;r.urlopen('http://127.0.0.1:'+os.environ['APP_PORT']+'/heartbeat',timeout=4)"]
CMD ["sh", "-c", "exec gunicorn --bind $APP_HOST:$APP_PORT --workers 1 --threads 32 --timeout 120 --graceful-timeout 20 'plugin.wsgi:create()'"]

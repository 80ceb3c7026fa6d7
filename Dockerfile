# The sidecar as an image, from what `make package` lays out:
#   docker build -t parapheur:0.1.0 - < build/package/parapheur-image-0.1.0.tar
# Written and linted, not run on an engine by this project. Both pins below were read in public build files: an engine
# refuses what does not fit them. A newer base: `docker buildx imagetools inspect python:3.13-slim-trixie`.
ARG PYTHON_IMAGE=python:3.13.13-slim-trixie@sha256:aa938a849bcb82dce8f49480f056ab82bf5c1c3ebc294f0430f37b6820e7f286

# ---- HaRP's tunnel: a client that speaks with the server inside HaRP -------------------------------------------------
FROM ${PYTHON_IMAGE} AS tunnel
ARG TARGETARCH=amd64
ARG FRP_VERSION=0.61.1
ARG FRP_SHA256_AMD64=bff260b68ca7b1461182a46c4f34e9709ba32764eed30a15dd94ac97f50a2c40
ARG FRP_SHA256_ARM64=af6366f2b43920ebfe6235dba6060770399ed1fb18601e5818552bd46a7621f8
WORKDIR /frp
RUN set -eu; \
    case "$TARGETARCH" in \
      amd64) sum="$FRP_SHA256_AMD64" ;; \
      arm64) sum="$FRP_SHA256_ARM64" ;; \
      *) echo "no tunnel for $TARGETARCH" >&2; exit 1 ;; \
    esac; \
    name="frp_${FRP_VERSION}_linux_${TARGETARCH}"; \
    python -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' \
      "https://github.com/fatedier/frp/releases/download/v${FRP_VERSION}/${name}.tar.gz" frp.tar.gz; \
    echo "${sum}  frp.tar.gz" > sum; \
    sha256sum -c sum; \
    tar -xzf frp.tar.gz --strip-components=1 "${name}/frpc" "${name}/LICENSE"

# ---- the product in a virtual environment ----------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
RUN python -m venv /opt/parapheur
ENV PATH=/opt/parapheur/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt
COPY parapheur-*.whl ./
RUN pip install --no-index --no-deps parapheur-*.whl

# ---- what runs -------------------------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Parapheur" org.opencontainers.image.licenses="AGPL-3.0-or-later"
# The folders that AppAPI and HaRP fill: a new volume takes its owner from here.
RUN groupadd --system --gid 10001 parapheur \
 && useradd --system --uid 10001 --gid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin parapheur \
 && install -d -m 0700 -o parapheur -g parapheur /nc_app_parapheur_data \
 && install -d -m 0755 -o parapheur -g parapheur /certs /certs/frp
COPY --from=tunnel /frp/frpc /usr/local/bin/frpc
COPY --from=tunnel /frp/LICENSE /usr/share/doc/frpc/LICENSE
COPY --from=build /opt/parapheur /opt/parapheur
ENV PATH=/opt/parapheur/bin:$PATH PYTHONUNBUFFERED=1 \
    APP_HOST=0.0.0.0 APP_PORT=23000 APP_PERSISTENT_STORAGE=/nc_app_parapheur_data
USER 10001:10001
EXPOSE 23000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "plugin.serve", "health"]
CMD ["python", "-m", "plugin.serve"]

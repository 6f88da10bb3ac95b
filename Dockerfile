# The app in an image, for a machine without an NVIDIA card:
#
#   docker build -t image-search .
#   docker run -d -p 127.0.0.1:8000:8000 -v ~/Pictures:/photos:ro -v image-search:/data image-search
#
# Everything that it writes, the model included, lies in the volume /data: a new container with
# the old volume downloads nothing and embeds nothing again. The root may be read-only
# (--read-only --tmpfs /tmp). Settings are variables (-e PASSWORD=…); README lists them. It runs as
# user 1000; for photos that only you may read: --build-arg UID=$(id -u).
# For an NVIDIA card: --build-arg TORCH=torch==2.13.0, and `docker run --gpus all`.

# Any image with Python 3.11 or newer on glibc, and any with Node 20.19 or newer.
ARG BASE=docker.io/library/python:3.13-slim
ARG NODE=docker.io/library/node:24-slim

FROM ${NODE} AS page
WORKDIR /src/frontend
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY frontend ./
RUN npm run build

FROM ${BASE} AS wheel
RUN python3 -m venv /opt/image-search
ENV PATH="/opt/image-search/bin:$PATH" PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# From the slowest to the quickest: what changes often comes last, and is built anew alone.
# Empty: PyTorch's build for CPUs.
ARG TORCH=
COPY image_search/__init__.py image_search/pytorch.py image_search/
RUN python -m image_search.pytorch ${TORCH:+"$TORCH"}
COPY pyproject.toml ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > needed.txt \
 && pip install --quiet -r needed.txt
COPY . .
COPY --from=page /src/frontend/dist frontend/dist
RUN pip install --quiet --no-deps .

FROM ${BASE}
# Process 1: it hands signals on, and waits for orphans.
RUN apt-get update -qq \
 && apt-get install -qq --no-install-recommends tini > /dev/null \
 && rm -rf /var/lib/apt/lists/*
# Postgres wants its user to have a name; who forbids root (runAsNonRoot) wants a number, below.
ARG UID=1000
RUN useradd --uid "$UID" --user-group --home-dir /data --no-create-home image-search \
 && mkdir /data /photos \
 && chown image-search: /data
COPY --from=wheel /opt/image-search /opt/image-search
ENV PATH="/opt/image-search/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/data \
    HOST=0.0.0.0 \
    PORT=8000 \
    IMAGE_DIR=/photos \
    DATA_DIR=/data/index \
    HF_HOME=/data/models
VOLUME /data
WORKDIR /data
USER ${UID}
EXPOSE 8000
# Healthy once it answers searches; the first start downloads a model first.
HEALTHCHECK --interval=30s --timeout=15s --start-period=15m --retries=3 \
  CMD ["image-search", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "image-search"]
CMD ["serve"]

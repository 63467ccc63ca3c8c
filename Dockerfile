# A server for one model, on CPUs. `make serving` builds it and asks it for masks.
#   docker build -t segnext .
# PyTorch's own index has wheels without CUDA, which are a tenth as large; pip install's page of
# PyTorch names it:
#   docker build --build-arg PIP_EXTRA_INDEX_URL=... -t segnext .
FROM python:3.12-slim AS build
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL} PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/segnext
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY src ./src
# Not the extra openvino, which brings what int8 needs.
RUN /opt/segnext/bin/pip install -c constraints.txt ".[serve]" openvino

FROM python:3.12-slim
# An id without a name on the host, and no home: nothing is ever written.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin segnext
COPY --from=build /opt/segnext /opt/segnext
ENV PATH=/opt/segnext/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp SEGNEXT_CACHE=/tmp/segnext SEGNEXT_OFFLINE=1
USER 10001:10001
WORKDIR /weights
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["segnext", "serve"]
# Published to no other machine unless `docker run -p` says so; inside, loopback would reach nobody.
CMD ["/weights/best.safetensors", "--host", "0.0.0.0"]

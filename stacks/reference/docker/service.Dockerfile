# The service, its exporters and the printing pager: one image, a module of it per role.
#
#   docker build -f docker/service.Dockerfile -t reference-service .            docker run reference-service service --port 8000
#   docker build -f docker/service.Dockerfile --target gpu ...                   the same with CuPy, for NVIDIA devices
#
# Without a package index: --build-context wheels=DIR, a folder of wheels for everything in requirements.txt.
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm
FROM scratch AS wheels

FROM ${PYTHON_IMAGE} AS packages
COPY requirements.txt /tmp/requirements.txt
RUN --mount=type=bind,from=wheels,target=/wheels \
    python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check --only-binary=:all: \
        $(ls /wheels/*.whl >/dev/null 2>&1 && echo --no-index --find-links=/wheels) -r /tmp/requirements.txt \
 && /opt/venv/bin/python -m pip uninstall --quiet --yes setuptools pip

FROM packages AS packages-gpu
COPY requirements-gpu.txt /tmp/requirements-gpu.txt
RUN python -m venv /opt/gpu \
 && /opt/gpu/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check --only-binary=:all: \
        --constraint /tmp/requirements.txt --target /opt/venv/lib/python3.11/site-packages -r /tmp/requirements-gpu.txt

FROM ${PYTHON_IMAGE} AS base
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 BIND_ADDRESS=0.0.0.0 OPENBLAS_NUM_THREADS=1
WORKDIR /srv
RUN mkdir -p /var/log/ml-inference && chown 10001:10001 /var/log/ml-inference
COPY service service
COPY exporters exporters
COPY pager pager
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["python", "-m"]
CMD ["service", "--port", "8000", "--log", "/var/log/ml-inference/requests.jsonl"]

FROM base AS gpu
COPY --from=packages-gpu /opt/venv /opt/venv
ENV MODEL_DEVICE=gpu LD_LIBRARY_PATH=/opt/venv/lib/python3.11/site-packages/nvidia/cublas/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cuda_runtime/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib

FROM base AS cpu
COPY --from=packages /opt/venv /opt/venv

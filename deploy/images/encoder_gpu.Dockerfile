# Encoder nodes: one NVIDIA GPU each. Build from the root of the checkout:
#   docker build -f deploy/images/encoder_gpu.Dockerfile -t bitquarry-encoder-gpu:0.1.0 .
# PyPI's torch brings its own CUDA libraries; the host needs the NVIDIA driver and container toolkit.
FROM python:3.11.13-slim-bookworm

# The cluster launcher copies files in with rsync.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openssh-client procps rsync \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 bitquarry \
    && install -d -o bitquarry -g bitquarry /opt/bitquarry
USER bitquarry
WORKDIR /home/bitquarry
RUN python -m venv /opt/bitquarry
ENV PATH=/opt/bitquarry/bin:$PATH RAY_AUTH_MODE=token \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

COPY --chown=bitquarry requirements.lock pyproject.toml README.md LICENSE src/
COPY --chown=bitquarry operators/ src/operators/
COPY --chown=bitquarry pipeline/ src/pipeline/
RUN pip install --no-cache-dir --constraint src/requirements.lock './src[cluster,backbones,train]' \
    && pip check \
    && rm -r src

CMD ["bitquarry", "--help"]

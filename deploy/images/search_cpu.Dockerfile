# Head, decoder and searcher nodes. Build from the root of the checkout:
#   docker build -f deploy/images/search_cpu.Dockerfile --build-arg TORCH_INDEX=<index with CPU builds> -t bitquarry-search-cpu:0.1.0 .
# TORCH_INDEX is optional: without it PyPI's torch brings its CUDA libraries, which work here too but weigh gigabytes.
FROM python:3.11.13-slim-bookworm

# The cluster launcher copies files in with rsync and reaches the workers from the head with ssh.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openssh-client procps rsync \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 bitquarry \
    && install -d -o bitquarry -g bitquarry /opt/bitquarry /var/cache/bitquarry
USER bitquarry
WORKDIR /home/bitquarry
RUN python -m venv /opt/bitquarry
ENV PATH=/opt/bitquarry/bin:$PATH RAY_AUTH_MODE=token

ARG TORCH_INDEX=""
COPY --chown=bitquarry requirements.lock pyproject.toml README.md LICENSE src/
COPY --chown=bitquarry operators/ src/operators/
COPY --chown=bitquarry pipeline/ src/pipeline/
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
        --constraint src/requirements.lock './src[cluster,faiss,serve]' \
    && pip check \
    && rm -r src

CMD ["bitquarry", "--help"]

"""The comparator of `bitquarry bench serve`: the plainest service, FastAPI around Faiss `IndexBinaryFlat`.

    python -m pipeline.jobs.bare_search_app CODES.npy

Prints its address as JSON. The endpoint is `async`, which is faster here than FastAPI's threads: those run several
searches of OpenMP on the same cores.
"""

from __future__ import annotations

import json
import socket
import sys

import faiss
import numpy as np
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel


class Asked(BaseModel):
    """One query: a code in hex, and how many neighbours."""

    code: str
    k: int


def bare_app(index: faiss.IndexBinaryFlat) -> FastAPI:
    """POST /query with a code in hex and k."""
    app = FastAPI()

    @app.post("/query")
    async def query(asked: Asked) -> JSONResponse:
        code = np.frombuffer(bytes.fromhex(asked.code), np.uint8)[None]
        distances, ids = index.search(code, asked.k)
        found = zip(ids[0].tolist(), distances[0].tolist(), strict=True)
        hits = [{"rank": rank, "id": str(item), "distance": distance} for rank, (item, distance) in enumerate(found, 1)]
        return JSONResponse({"k": asked.k, "hits": hits})

    return app


def main() -> None:
    """Serve until SIGTERM."""
    packed = np.load(sys.argv[1])
    index = faiss.IndexBinaryFlat(8 * packed.shape[1])
    index.add(packed)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(json.dumps({"address": f"http://127.0.0.1:{listener.getsockname()[1]}"}) + "\n")
        sys.stdout.flush()
        config = uvicorn.Config(bare_app(index), loop="uvloop", http="httptools", access_log=False, log_level="error")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()

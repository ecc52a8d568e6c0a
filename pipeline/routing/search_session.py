"""`SearchSession`: everything a caller can ask of one generation of one index."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from operators.binary_codes import BinaryCodes
from operators.search.search_queries import SearchQueries
from pipeline.errors import UsageError
from pipeline.routing.query_checks import check_k, parse_hex_code
from pipeline.routing.query_encoder import QueryEncoder
from pipeline.routing.query_router import QueryRouter
from pipeline.routing.search_answer import SearchAnswer
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.search_scope import EVERYTHING, SearchScope


class SearchSession:
    """Queries by picture, item or code. The model is loaded at the first picture, so codes and items need none (unless
    codes are quantized: the codebooks that say what they mean are the model's).

    `scope` says which items may answer. Every query raises `UsageError` for what the caller got wrong and `SearchError`
    when shards do not answer and `allow_partial` is not set.
    """

    def __init__(self, router: QueryRouter, load_encoder: Callable[[], QueryEncoder]) -> None:
        self.router = router
        self._load_encoder = load_encoder

    @property
    def manifest(self) -> IndexManifest:
        return self.router.manifest

    @cached_property
    def encoder(self) -> QueryEncoder:
        """Raises `ModelMismatch` when the catalog's model is not the one that the index was made with."""
        return self._load_encoder()

    def query_image(
        self, image: bytes, *, k: int, scope: SearchScope = EVERYTHING, allow_partial: bool = False
    ) -> SearchAnswer:
        """Neighbours of an encoded picture. Raises also `UndecodableMedia`, `MediaTooLarge`, `NonFiniteFeatures`."""
        check_k(k)
        encoder = self.encoder
        started = time.monotonic()
        queries = encoder.encode_image(image)
        encode_seconds = time.monotonic() - started
        answer = self.router.search(queries, k=k, scope=scope, allow_partial=allow_partial)
        return replace(answer, timings_seconds={"encode": encode_seconds, **answer.timings_seconds})

    def query_id(
        self,
        item_id: int,
        *,
        k: int,
        scope: SearchScope = EVERYTHING,
        exclude_self: bool = True,
        allow_partial: bool = False,
    ) -> SearchAnswer:
        """Neighbours of an indexed item."""
        check_k(k)
        queries = self.queries_of(self.router.code_of(item_id))
        exclude_id = item_id if exclude_self else None
        return self.router.search(queries, k=k, scope=scope, allow_partial=allow_partial, exclude_id=exclude_id)

    def query_key(
        self,
        key: str,
        *,
        k: int,
        scope: SearchScope = EVERYTHING,
        exclude_self: bool = True,
        allow_partial: bool = False,
    ) -> SearchAnswer:
        """Neighbours of the one indexed item with this key."""
        check_k(k)
        item_id = self.router.id_of_key(key)
        return self.query_id(item_id, k=k, scope=scope, exclude_self=exclude_self, allow_partial=allow_partial)

    def query_hex(
        self, code: str, *, k: int, scope: SearchScope = EVERYTHING, allow_partial: bool = False
    ) -> SearchAnswer:
        """Neighbours of a code in hexadecimal digits."""
        return self.query_codes(parse_hex_code(code, self.manifest), k=k, scope=scope, allow_partial=allow_partial)

    def query_codes(
        self, codes: BinaryCodes, *, k: int, scope: SearchScope = EVERYTHING, allow_partial: bool = False
    ) -> SearchAnswer:
        """Neighbours of every code of a batch."""
        return self.router.search(self.queries_of(codes), k=k, scope=scope, allow_partial=allow_partial)

    def queries_of(self, codes: BinaryCodes) -> SearchQueries:
        """What a search with these codes takes: themselves, or the lookup tables of what they stand for."""
        if self.manifest.code_kind == "binary":
            return codes
        if codes.num_bits != self.manifest.num_bits:
            raise UsageError(
                f"query codes have {codes.num_bits} bits, codes of index {self.manifest.index} "
                f"{self.manifest.num_bits} bits"
            )
        return self.encoder.queries_of(codes)

"""A backbone is copied once, whole or not at all, and only under the digest of its content."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from operators.features.backbone_folder import backbone_sha256
from pipeline.errors import CorruptFile, StorageError, UsageError
from pipeline.model_store.backbone_cache import BackboneCache
from tests.fault_proxy import Fault, FaultProxy
from tests.pipeline.model_store.backbone_examples import FILES, upload, write_backbone
from tests.s3_server import S3Server

OTHER = "0" * 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_backbone(tmp_path / "backbone")


@pytest.fixture
def cache(tmp_path: Path) -> BackboneCache:
    return BackboneCache(tmp_path / "cache")


def _fetch(cache_dir: Path, place: str, sha256: str | None) -> Path:
    return BackboneCache(cache_dir).local_folder(place, sha256)


def _copies(cache: BackboneCache) -> list[str]:
    """Names of the cache's folders; the locks beside them are files."""
    return sorted(path.name for path in cache.cache_dir.iterdir() if path.is_dir())


def test_a_folder_is_used_in_place(folder: Path, cache: BackboneCache) -> None:
    assert cache.local_folder(str(folder)) == cache.local_folder(str(folder), backbone_sha256(str(folder))) == folder
    assert not cache.cache_dir.exists()


def test_a_prefix_is_copied_without_what_is_beside_it(folder: Path, cache: BackboneCache, s3_server: S3Server) -> None:
    place = upload(folder, f"{s3_server.uri}/vit")
    for given in (place, f"{place}/"):
        local = cache.local_folder(given)
        assert local == cache.cache_dir / backbone_sha256(str(folder))
        assert {path.name: path.read_bytes() for path in local.iterdir()} == FILES
    assert _copies(cache) == [local.name]


def test_with_the_digest_the_copy_answers_without_the_store(
    folder: Path, cache: BackboneCache, fault_proxy: FaultProxy, s3_server: S3Server
) -> None:
    place, sha256 = upload(folder, f"{s3_server.uri}/vit"), backbone_sha256(str(folder))
    local = cache.local_folder(place, sha256)
    fault_proxy.plan([])
    assert cache.local_folder(place, sha256) == local
    assert fault_proxy.requests == []


@pytest.mark.parametrize("remote", [True, False], ids=["s3", "local"])
def test_weights_named_by_their_file_leave_others_out(
    folder: Path, cache: BackboneCache, s3_server: S3Server, remote: bool
) -> None:
    (folder / "model.safetensors").rename(folder / "ema.safetensors")
    (folder / "raw.safetensors").write_bytes(b"other weights")
    (folder / "model.safetensors.index.json").write_bytes(b"{}")
    place = upload(folder, f"{s3_server.uri}/vit") if remote else str(folder)
    local = cache.local_folder(f"{place}/ema.safetensors")
    assert {path.name: path.read_bytes() for path in local.iterdir()} == FILES


def test_processes_that_ask_at_once_fetch_once(
    folder: Path, cache: BackboneCache, fault_proxy: FaultProxy, s3_server: S3Server
) -> None:
    place, sha256 = upload(folder, f"{s3_server.uri}/vit"), backbone_sha256(str(folder))
    fault_proxy.plan([])
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        asked = [pool.submit(_fetch, cache.cache_dir, place, sha256) for _ in range(3)]
        assert {answer.result() for answer in asked} == {cache.cache_dir / sha256}
    weights = [target for method, target in fault_proxy.requests if method == "GET" and "model.safetensors" in target]
    assert len(weights) == 1


def test_a_fetch_that_breaks_off_leaves_no_copy(
    folder: Path, cache: BackboneCache, fault_proxy: FaultProxy, s3_server: S3Server
) -> None:
    place = upload(folder, f"{s3_server.uri}/vit")
    forbidden = Fault(action="status", method="GET", target=".*safetensors", times=99, status=403, code="AccessDenied")
    fault_proxy.plan([forbidden])
    with pytest.raises(StorageError, match=r"vit/model.safetensors.*AccessDenied"):
        cache.local_folder(place)
    assert _copies(cache) == []
    fault_proxy.plan([])
    local = cache.local_folder(place)
    assert _copies(cache) == [local.name]


def test_what_a_killed_process_left_is_not_mixed_in(folder: Path, cache: BackboneCache, s3_server: S3Server) -> None:
    place, sha256 = upload(folder, f"{s3_server.uri}/vit"), backbone_sha256(str(folder))
    write_backbone(cache.cache_dir / f"{sha256}.partial", config=b"half")
    (cache.cache_dir / f"{sha256}.partial" / "more.safetensors").write_bytes(b"half")
    assert backbone_sha256(str(cache.local_folder(place, sha256))) == sha256
    assert _copies(cache) == [sha256]


@pytest.mark.parametrize("file", sorted(FILES))
def test_a_damaged_copy_is_fetched_again(folder: Path, cache: BackboneCache, s3_server: S3Server, file: str) -> None:
    place, sha256 = upload(folder, f"{s3_server.uri}/vit"), backbone_sha256(str(folder))
    damaged = cache.local_folder(place) / file
    damaged.write_bytes(b"x") if file.endswith("tensors") else damaged.unlink()
    assert backbone_sha256(str(cache.local_folder(place, sha256))) == sha256


def test_other_weights_at_the_place_are_refused_with_both_digests(
    folder: Path, cache: BackboneCache, s3_server: S3Server
) -> None:
    place, given = upload(folder, f"{s3_server.uri}/vit"), backbone_sha256(str(folder))
    with pytest.raises(CorruptFile, match=f"{place} is corrupt: .* sha256 {given}, the model was made with {OTHER}"):
        cache.local_folder(place, OTHER)
    assert _copies(cache) == []


def test_a_backbone_that_moved_is_found_by_a_link(folder: Path, cache: BackboneCache, tmp_path: Path) -> None:
    sha256 = backbone_sha256(str(folder))
    moved = folder.rename(tmp_path / "moved")
    with pytest.raises(UsageError, match=f"no backbone at {folder}: .*ln -s NEW_FOLDER {cache.cache_dir / sha256}$"):
        cache.local_folder(str(folder), sha256)
    cache.cache_dir.mkdir(exist_ok=True)
    (cache.cache_dir / sha256).symlink_to(moved)
    assert cache.local_folder(str(folder), sha256).resolve() == moved
    (moved / "model.safetensors").write_bytes(b"changed")
    with pytest.raises(CorruptFile, match=f"{cache.cache_dir / sha256} is corrupt: its content has sha256"):
        cache.local_folder(str(folder), sha256)
    assert (moved / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("/nowhere", "no backbone at /nowhere: no such folder; expected a transformers folder, s3://bucket/prefix"),
        ("/nowhere/model.safetensors", "no backbone at /nowhere/model.safetensors: /nowhere/config.json: no such"),
        ("{s3}/nothing", "no backbone at s3://.*/nothing/config.json: no such object"),
        ("s3://no-such-bucket-here/vit", "no backbone at s3://no-such-bucket-here/vit: .*bucket"),
        ("ftp://host/vit", "ftp://host/vit: cannot store at ftp://"),
    ],
)
def test_places_without_a_backbone(cache: BackboneCache, s3_server: S3Server, place: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cache.local_folder(place.replace("{s3}", s3_server.uri))


def test_incomplete_places_say_what_they_lack(folder: Path, cache: BackboneCache, s3_server: S3Server) -> None:
    place = upload(folder, f"{s3_server.uri}/vit")
    with pytest.raises(UsageError, match=r"it has no \*.safetensors"):
        cache.local_folder(f"{place}/ema.safetensors")
    (folder / "preprocessor_config.json").unlink()
    place = upload(folder, f"{s3_server.uri}/raw")
    with pytest.raises(UsageError, match=r"it has no preprocessor_config.json; expected"):
        cache.local_folder(place)


def test_a_digest_that_is_none_names_no_path(cache: BackboneCache) -> None:
    with pytest.raises(UsageError, match=r"backbone.sha256 = '\.\./x': expected 64 lower-case"):
        cache.local_folder("/nowhere", "../x")

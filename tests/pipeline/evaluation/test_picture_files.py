from pathlib import Path

from pipeline.evaluation.picture_files import picture_files, picture_keys


def test_pictures_in_folders_are_listed_sorted(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "b/deeper/1.jpg", "a/notes.txt", "a/1.webp", "loose.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "a" / "folder.png").mkdir()
    assert picture_keys(tmp_path) == ["a/1.webp", "b/2.PNG", "b/deeper/1.jpg"]
    pictures = picture_files(tmp_path, ((key, (key[0],)) for key in picture_keys(tmp_path)))
    assert pictures.labels == (("a",), ("b",), ("b",))
    assert pictures.read(1) == b"b/2.PNG"

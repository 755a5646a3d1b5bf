from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from watchkeeper.errors import ArtifactError
from watchkeeper.registry.artifacts import Artifacts


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "extra").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"weights" * 1000)
    (folder / "signature.json").write_text("{}")
    (folder / "extra" / "notes.txt").write_text("trained in June")
    return folder


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "artifacts")


def test_it_gives_back_what_was_put(artifacts: Artifacts, model: Path) -> None:
    folder = artifacts.open(artifacts.put(model))

    assert (folder / "model.onnx").read_bytes() == b"weights" * 1000
    assert (folder / "extra" / "notes.txt").read_text() == "trained in June"


def test_the_same_content_has_the_same_address(artifacts: Artifacts, model: Path) -> None:
    first = artifacts.put(model)
    os.utime(model / "model.onnx", (0, 0))

    assert artifacts.put(model) == first


def test_another_content_or_another_name_has_another_address(
    artifacts: Artifacts, model: Path
) -> None:
    first = artifacts.put(model)
    (model / "signature.json").rename(model / "renamed.json")
    second = artifacts.put(model)
    (model / "renamed.json").write_text("{ }")

    assert len({first, second, artifacts.put(model)}) == 3


def test_several_writers_at_once_agree(artifacts: Artifacts, model: Path) -> None:
    addresses: list[str] = []
    start = threading.Barrier(8)

    def put() -> None:
        start.wait()
        addresses.append(artifacts.put(model))

    writers = [threading.Thread(target=put) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(addresses) == 8
    assert len(set(addresses)) == 1


def test_nothing_half_written_is_left(artifacts: Artifacts, model: Path, tmp_path: Path) -> None:
    artifacts.put(model)
    (model / "link").symlink_to("model.onnx")
    with pytest.raises(ArtifactError):
        artifacts.put(model)

    assert not list((tmp_path / "artifacts" / "incoming").iterdir())


def test_it_refuses_an_altered_file(artifacts: Artifacts, model: Path) -> None:
    digest = artifacts.put(model)
    file = artifacts.open(digest) / "model.onnx"
    file.chmod(0o644)
    file.write_bytes(b"WEIGHTS" * 1000)

    with pytest.raises(ArtifactError, match=r"model\.onnx was altered: expected sha256"):
        artifacts.open(digest)


def test_it_refuses_a_file_cut_short(artifacts: Artifacts, model: Path) -> None:
    digest = artifacts.put(model)
    os.truncate(artifacts.open(digest) / "model.onnx", 10)

    with pytest.raises(
        ArtifactError, match=r"model\.onnx was altered: expected 7000 bytes, got 10"
    ):
        artifacts.open(digest)


def test_it_refuses_a_missing_file(artifacts: Artifacts, model: Path) -> None:
    digest = artifacts.put(model)
    (artifacts.open(digest) / "extra" / "notes.txt").unlink()

    with pytest.raises(ArtifactError, match=r"extra/notes\.txt is missing"):
        artifacts.open(digest)


@pytest.mark.parametrize("place", ["files/sneaked.py", "beside.py"])
def test_it_refuses_a_file_that_was_added(artifacts: Artifacts, model: Path, place: str) -> None:
    digest = artifacts.put(model)
    (artifacts.open(digest).parent / place).write_text("boo")

    with pytest.raises(ArtifactError, match="somebody added the file"):
        artifacts.open(digest)


def test_it_refuses_a_link_in_place_of_a_file(artifacts: Artifacts, model: Path) -> None:
    digest = artifacts.put(model)
    file = artifacts.open(digest) / "signature.json"
    file.unlink()
    file.symlink_to(model / "signature.json")

    with pytest.raises(ArtifactError, match="expected a plain file"):
        artifacts.open(digest)


def test_it_refuses_a_linked_folder(artifacts: Artifacts, model: Path) -> None:
    digest = artifacts.put(model)
    files = artifacts.open(digest)
    shutil.rmtree(files)
    files.symlink_to(model)

    with pytest.raises(ArtifactError, match="expected a plain file"):
        artifacts.open(digest)


@pytest.mark.parametrize("size", [0, 20])
def test_it_refuses_a_manifest_cut_short(artifacts: Artifacts, model: Path, size: int) -> None:
    digest = artifacts.put(model)
    os.truncate(artifacts.open(digest).parent / "manifest.json", size)

    with pytest.raises(ArtifactError, match=r"manifest\.json was altered or cut short"):
        artifacts.open(digest)


def test_it_refuses_an_artifact_without_manifest(artifacts: Artifacts, model: Path) -> None:
    digest = artifacts.put(model)
    (artifacts.open(digest).parent / "manifest.json").unlink()

    with pytest.raises(ArtifactError, match=r"manifest\.json is missing"):
        artifacts.open(digest)


def test_a_damaged_copy_is_not_taken_for_a_stored_one(artifacts: Artifacts, model: Path) -> None:
    digest = artifacts.put(model)
    (artifacts.open(digest) / "signature.json").unlink()

    with pytest.raises(ArtifactError, match="is missing"):
        artifacts.put(model)


@pytest.mark.parametrize("address", ["", "..", "../../etc", "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_it_refuses_what_is_not_an_address(artifacts: Artifacts, address: str) -> None:
    with pytest.raises(ArtifactError, match="expected the 64 hexadecimal digits"):
        artifacts.open(address)


def test_it_names_an_unknown_artifact(artifacts: Artifacts) -> None:
    with pytest.raises(ArtifactError, match="no artifact aaaaaaaaaaaa"):
        artifacts.open("a" * 64)


def test_it_refuses_an_empty_or_absent_folder(artifacts: Artifacts, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(ArtifactError, match="holds no file"):
        artifacts.put(tmp_path / "empty")
    with pytest.raises(ArtifactError, match="expected a folder"):
        artifacts.put(tmp_path / "absent")

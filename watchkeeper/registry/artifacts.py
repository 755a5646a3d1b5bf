"""Model files, stored under the hash of their content and checked whenever they are opened.

``<root>/sha256/<first two digits>/<digest>/`` holds ``manifest.json`` and ``files/``. The digest
is the SHA-256 of the manifest, and the manifest names the SHA-256 and the size of every file, so
that nothing can be altered, added or left out without the address ceasing to fit.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import uuid
from pathlib import Path
from typing import Any

from watchkeeper.errors import ArtifactError

MANIFEST = "manifest.json"
FILES = "files"
_CHUNK = 1 << 20


class Artifacts:
    """A folder of model artifacts that several processes may write to at once.

    Parameters
    ----------
    root
        The folder; it is made when the first artifact is put.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, directory: Path) -> str:
        """Store a copy of everything in ``directory`` and return its address.

        The artifact appears as a whole or not at all; storing the same content again, also at
        the same time, gives the same address.

        Returns
        -------
        str
            64 hexadecimal digits.

        Raises
        ------
        ArtifactError
            The folder is empty or holds a symbolic link or special file; or what is stored
            under the address has been altered.
        """
        incoming = self._root / "incoming" / uuid.uuid4().hex
        (incoming / FILES).mkdir(parents=True)
        try:
            content = _copy(directory, incoming / FILES)
            digest = hashlib.sha256(content).hexdigest()
            _write(incoming / MANIFEST, content)
            self._publish(incoming, self._place(digest))
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        self.open(digest)
        return digest

    def open(self, sha256: str) -> Path:
        """Check every file of an artifact and return the folder that holds them.

        Raises
        ------
        ArtifactError
            There is no such artifact, or a file of it was altered, removed or added; the
            message names the file.
        """
        if re.fullmatch(r"[0-9a-f]{64}", sha256) is None:
            raise ArtifactError(
                f"expected the 64 hexadecimal digits of an artifact, got {sha256!r}"
            )
        place = self._place(sha256)
        if place.is_symlink() or not place.is_dir():
            raise ArtifactError(f"no artifact {sha256[:12]} in {self._root}")
        expected = _read_manifest(place / MANIFEST, sha256)
        found = {name: path for name, path in _regular_files(place).items() if name != MANIFEST}
        for name in sorted(expected.keys() | found.keys()):
            _check(sha256, name, expected.get(name), found.get(name))
        return place / FILES

    def _place(self, digest: str) -> Path:
        return self._root / "sha256" / digest[:2] / digest

    @staticmethod
    def _publish(incoming: Path, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            incoming.rename(place)
        except OSError:
            # A folder that is not empty cannot be replaced: somebody stored the same content.
            if not place.is_dir():
                raise
        else:
            _sync_folder(place.parent)


def _copy(source: Path, target: Path) -> bytes:
    manifest: dict[str, dict[str, Any]] = {}
    for name, path in _regular_files(source).items():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        # Hashed while it is copied: the file could change between two readings.
        digest = hashlib.sha256()
        with path.open("rb") as reader, copy.open("wb") as writer:
            while chunk := reader.read(_CHUNK):
                digest.update(chunk)
                writer.write(chunk)
            writer.flush()
            os.fsync(writer.fileno())
        copy.chmod(0o444)
        manifest[f"{FILES}/{name}"] = {"sha256": digest.hexdigest(), "size": copy.stat().st_size}
    if not manifest:
        raise ArtifactError(f"{source}: holds no file; expected a saved model")
    return json.dumps({"files": manifest}, sort_keys=True, separators=(",", ":")).encode()


def _regular_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: expected a folder with a saved model")
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            files[path.relative_to(folder).as_posix()] = path
        elif not stat.S_ISDIR(mode):
            raise ArtifactError(f"{path}: expected a plain file, got a link or a special file")
    return files


def _read_manifest(path: Path, sha256: str) -> dict[str, Any]:
    if path.is_symlink() or not path.is_file():
        raise ArtifactError(f"artifact {sha256[:12]}: {MANIFEST} is missing or not a plain file")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactError(f"artifact {sha256[:12]}: {MANIFEST} was altered or cut short")
    files: dict[str, Any] = json.loads(content)["files"]
    return files


def _check(sha256: str, name: str, expected: dict[str, Any] | None, path: Path | None) -> None:
    artifact = f"artifact {sha256[:12]}: {name.removeprefix(f'{FILES}/')}"
    if path is None:
        raise ArtifactError(f"{artifact} is missing")
    if expected is None:
        raise ArtifactError(f"{artifact} does not belong to it; somebody added the file")
    if path.stat().st_size != expected["size"]:
        raise ArtifactError(
            f"{artifact} was altered: expected {expected['size']} bytes, got {path.stat().st_size}"
        )
    with path.open("rb") as reader:
        digest = hashlib.file_digest(reader, "sha256").hexdigest()
    if digest != expected["sha256"]:
        raise ArtifactError(
            f"{artifact} was altered: expected sha256 {expected['sha256'][:12]}, got {digest[:12]}"
        )


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as writer:
        writer.write(content)
        writer.flush()
        os.fsync(writer.fileno())
    path.chmod(0o444)


def _sync_folder(folder: Path) -> None:
    # Without this the rename itself may be lost when the machine loses power.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

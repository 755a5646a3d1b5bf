"""A bounded log keeps the beginning and the end."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from retrain.log import BoundedLog

LIMIT = 100


def written(folder: Path, chunks: list[bytes]) -> bytes:
    path = folder / "log"
    with BoundedLog(path, LIMIT) as log:
        for chunk in chunks:
            log.write(chunk)
    log.close()  # a second time changes nothing
    return path.read_bytes()


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_output_is_kept_whole_or_cut_in_the_middle(
    tmp_path_factory: object, chunks: list[bytes]
) -> None:
    output = b"".join(chunks)
    kept = written(tmp_path_factory.mktemp("log"), chunks)  # type: ignore[attr-defined]

    if len(output) <= LIMIT:
        assert kept == output
    else:
        assert kept.startswith(output[: LIMIT // 2])
        assert kept.endswith(output[-LIMIT // 2 :])
        assert f"{len(output) - LIMIT:,} bytes were left out".encode() in kept


def test_the_beginning_can_be_followed_while_it_runs(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log", LIMIT)
    log.write(b"epoch 1\n")

    assert (tmp_path / "log").read_bytes() == b"epoch 1\n"
    log.close()

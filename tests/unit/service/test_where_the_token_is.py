"""What is said of the administrator's token when the service has started."""

from __future__ import annotations

from pathlib import Path

from service.up import where_the_token_is


def test_a_token_that_is_not_there_is_not_promised(tmp_path: Path) -> None:
    path = tmp_path / "admin-token"
    assert where_the_token_is(path).endswith("watchkeeper token issue NAME --role admin")

    path.write_text("wk_secret")
    assert where_the_token_is(path) == f"the administrator's token is in {path}"

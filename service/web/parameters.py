"""The parameters that pages and API have in common."""

from __future__ import annotations

from typing import Annotated

from litestar.params import QueryParameter

from reports.model import Filter

Page = Annotated[int, QueryParameter(ge=1, le=1_000_000, required=False)]
Size = Annotated[int, QueryParameter(ge=1, le=200, required=False)]
Text = Annotated[str, QueryParameter(max_length=300, required=False)]
# The framework keeps the names "state" and "next" for itself.
Wanted = Annotated[Filter, QueryParameter(name="state", required=False)]
Outcome = Annotated[str, QueryParameter(name="state", max_length=20, required=False)]
Follow = Annotated[str, QueryParameter(name="next", max_length=2000, required=False)]

#: What a parameter is called in an address, where its name in the code differs.
CALLED = {"wanted": "state", "outcome": "state", "follow": "next"}

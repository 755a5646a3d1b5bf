"""The lake: every prediction and label, in Delta tables that other engines can read as well."""

from __future__ import annotations

from watchkeeper.lake.columns import label_schema, prediction_schema
from watchkeeper.lake.lake import Lake
from watchkeeper.lake.table import LakeTable

__all__ = ["Lake", "LakeTable", "label_schema", "prediction_schema"]

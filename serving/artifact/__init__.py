"""A model on disk: saved with its signature and self-test, and loaded only when both hold."""

from serving.artifact.load import LoadedModel, load
from serving.artifact.model import Prediction
from serving.artifact.save import save
from serving.artifact.trusted import TRUSTED_TYPES, trusted_types

__all__ = ["TRUSTED_TYPES", "LoadedModel", "Prediction", "load", "save", "trusted_types"]

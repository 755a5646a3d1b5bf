"""Trains the example model; watchkeeper runs this in a process of its own."""

from __future__ import annotations

from sklearn.ensemble import HistGradientBoostingClassifier

from watchkeeper import TrainingContext


def train(context: TrainingContext) -> HistGradientBoostingClassifier:
    """Return a fitted estimator; watchkeeper stores it and judges it on rows not seen here."""
    frame = context.read()
    model = HistGradientBoostingClassifier(
        categorical_features="from_dtype", random_state=context.seed
    )
    return model.fit(frame.features, frame.label, sample_weight=frame.weights)

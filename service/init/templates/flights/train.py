"""Train the flight model: gradient-boosted trees on the columns as they are, nulls included."""

from __future__ import annotations

from sklearn.ensemble import HistGradientBoostingClassifier

from watchkeeper import TrainingContext


def train(context: TrainingContext) -> HistGradientBoostingClassifier:
    """Fit on the rows that watchkeeper hands over; it judges the result on newer ones."""
    frame = context.read()
    model = HistGradientBoostingClassifier(
        max_iter=120,
        learning_rate=0.05,
        max_leaf_nodes=12,
        min_samples_leaf=100,
        l2_regularization=5,
        categorical_features="from_dtype",
        random_state=context.seed,
    )
    return model.fit(frame.features, frame.label, sample_weight=frame.weights)

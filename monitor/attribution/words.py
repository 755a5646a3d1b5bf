"""An attribution in a sentence or two."""

from __future__ import annotations

from monitor.attribution.model import Attribution

#: A part is named when it is at least this share of the whole change.
_NAMED = 0.25
#: Rows are told apart from those of the reference when the AUC of that is surely above this.
_TOLD_APART = 0.7
_KINDS = {
    "shared_x": "more rows of harder, known kinds",
    "y_given_x": "other labels for the same rows",
    "unseen_x": "rows of kinds that the reference hardly has",
}


def describe(found: Attribution) -> str:
    """Say where a rise of the loss comes from; an empty text when the loss did not rise.

    Examples
    --------
    >>> found = Attribution(loss="log_loss", reference=0.3, current=0.4, n_reference=900,
    ...     n_current=500, of_reference=900, of_current=500, segments=(), columns=())
    >>> describe(found)
    'The mean log_loss rose from 0.3 to 0.4 (500 labels against 900).'
    """
    if found.change <= 0:
        return ""
    rows = f"{found.n_current:,} labels against {found.n_reference:,}"
    if found.n_current < found.of_current:
        rows += f", a sample of {found.of_current:,} rows"
    said = [
        f"The mean {found.loss} rose from {found.reference:.3g} to {found.current:.3g} ({rows})."
    ]
    for segment in found.segments[:1]:
        share = segment.contribution / found.change
        if share >= _NAMED:
            said.append(
                f"{segment.column} {segment.segment} adds {min(share, 1):.0%} of it with "
                f"{segment.share_current:.0%} of the rows."
            )
    if found.shift is not None:
        largest = found.shift.largest
        part = getattr(found.shift, largest)
        if part.lower > 0:
            share = min(part.value / found.change, 1)
            said.append(f"{share:.0%} of it is {_KINDS[largest]}.")
    ranking = list(found.ranking())
    if ranking:
        said.append(f"Columns that moved and matter: {', '.join(ranking[:3])}.")
    joint = found.joint
    if joint is not None and joint.lower > _TOLD_APART:
        by = ", ".join(name for name, worth in joint.columns[:2] if worth > 0)
        said.append(f"A classifier tells its rows from the reference's by {by or 'no one column'}.")
    if found.shared:
        others = sorted({each.model for each in found.shared})
        said.append(f"The same columns are in trouble in {', '.join(others[:3])}.")
    return " ".join(said)

"""One slice of a longer list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Paging:
    """Which slice of a longer list is shown.

    Parameters
    ----------
    number
        Page, from 1.
    size
        Rows on a full page.
    total
        Rows in the whole list.

    Examples
    --------
    >>> paging = Paging(number=2, size=25, total=60)
    >>> (paging.pages, paging.first, paging.last)
    (3, 26, 50)
    """

    number: int
    size: int
    total: int

    @property
    def pages(self) -> int:
        """Number of pages; an empty list has one."""
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """Rank of the first row shown, from 1; 0 when there is none."""
        return min(self.total, (self.number - 1) * self.size + 1)

    @property
    def last(self) -> int:
        """Rank of the last row shown."""
        return min(self.total, self.number * self.size)

    @property
    def offset(self) -> int:
        """Rows before the first one shown."""
        return (self.number - 1) * self.size

"""Pages of a listing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from flowmaestro.storage.sqlite.engines import snapshot


def read_rows_of_page(
    connection: sa.Connection,
    *,
    query: sa.Select[Any],
    order: sa.ColumnElement[Any],
    page: int,
    per_page: int,
) -> tuple[Sequence[sa.Row[Any]], int]:
    """Return the rows of page *page* (from 1) of *query*, and how many rows there are in all.

    Raises:
        ValueError: *page* or *per_page* is below 1.
    """
    if page < 1 or per_page < 1:
        raise ValueError("page and per_page are 1 or more")
    snapshot(connection)
    count = sa.select(sa.func.count()).select_from(
        query.with_only_columns(sa.literal(1)).subquery()
    )
    total_count = connection.execute(count).scalar_one()
    offset = (page - 1) * per_page
    if offset >= total_count:
        return [], total_count
    return connection.execute(
        query.order_by(order).limit(per_page).offset(offset)
    ).all(), total_count

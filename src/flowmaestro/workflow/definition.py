"""A workflow definition as typed models: what :func:`~flowmaestro.workflow.validation.validate`
returns, what the scheduler reads, and what is stored as a document.

Fields are snake_case; their camelCase twins are accepted on input. Keys without a meaning here
(canvas positions, icons) are kept in ``model_extra`` and written back by ``to_document``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

MAX_DURATION_MS = 30 * 24 * 60 * 60 * 1000
"""The longest timeout or delay that a definition may ask for: 30 days."""

MAX_BACKOFF = 10
_BACKOFF_WORDS = ("fixed", "linear", "exponential")

DurationMs = Annotated[int, Field(strict=True, ge=1, le=MAX_DURATION_MS)]
DelayMs = Annotated[int, Field(strict=True, ge=0, le=MAX_DURATION_MS)]


class DefinitionPart(BaseModel):
    """What every level of a definition shares: frozen, twins accepted, unknown keys kept."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        loc_by_alias=False,
    )

    def to_document(self) -> dict[str, Any]:
        """Return the part as plain JSON values with snake_case keys: what was given, defaults
        left out, unknown keys kept."""
        return self.model_dump(mode="python", by_alias=False, exclude_unset=True)


class RetryPolicy(DefinitionPart):
    """How often and how patiently a failed node is tried again.

    The wait before attempt *n* + 1 grows from ``initial_delay_ms`` by ``backoff`` and never passes
    ``max_delay_ms``. ``backoff`` is a word or a factor:

    ==================  =======================================  ==========================
    ``backoff``         wait after failed attempt *n*            1 s, at most 60 s
    ==================  =======================================  ==========================
    ``"fixed"``         initial                                  1, 1, 1, 1 …
    ``"linear"``        initial × *n*                            1, 2, 3, 4 …
    ``"exponential"``   initial × 2 ** (*n* - 1)                 1, 2, 4, 8 … 60
    a number *f*        initial × *f* ** (*n* - 1), 1 ≤ *f* ≤ 10  *f* = 3: 1, 3, 9, 27, 60
    ==================  =======================================  ==========================
    """

    max_attempts: Annotated[int, Field(strict=True, ge=1, le=100)] = 3
    """Attempts in all, the first one included; 1 means no retry."""
    initial_delay_ms: DelayMs = 1_000
    backoff: Literal["fixed", "linear", "exponential"] | float = "exponential"
    max_delay_ms: DelayMs = 60_000

    @field_validator("backoff", mode="before")
    @classmethod
    def _check_backoff(cls, backoff: object) -> object:
        if isinstance(backoff, str) and backoff in _BACKOFF_WORDS:
            return backoff
        if type(backoff) in (int, float) and 1 <= cast(float, backoff) <= MAX_BACKOFF:
            return backoff
        raise ValueError(
            f"should be {', '.join(map(repr, _BACKOFF_WORDS))} or a factor from 1 to {MAX_BACKOFF}"
        )


class OnError(DefinitionPart):
    """What a node's final failure means for the execution.

    ``fail`` ends it, ``continue`` goes on with the error as the node's outputs, ``fallback`` goes
    on with ``fallback_value`` (any JSON value) as its outputs.
    """

    strategy: Literal["fail", "continue", "fallback"]
    fallback_value: Any = None


class NodeDefinition(DefinitionPart):
    """One node. ``config`` is kept as written, templates included, with the fields that the node
    type knows in snake_case; it is rendered and typed when the node runs."""

    type: str = Field(min_length=1)
    name: str | None = None
    """What people read; the node's id where it is not given."""
    config: dict[str, Any] = Field(default_factory=dict)
    on_error: OnError | None = None
    retry: RetryPolicy | None = None
    timeout_ms: DurationMs | None = None
    """How long one attempt may take; ``None`` leaves it to the server."""


class EdgeDefinition(DefinitionPart):
    """*target* waits for *source*; with ``source_handle``, only that way out of a routing node
    leads along the edge."""

    id: str | None = None
    source: str
    target: str
    source_handle: str | None = None


class Settings(DefinitionPart):
    """Limits of the whole execution."""

    timeout_ms: DurationMs | None = None
    max_concurrent_nodes: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 10


class Definition(DefinitionPart):
    """A workflow: nodes by id, and the edges between them, both in document order.

    ``name`` is required of a workflow and optional for a loop's body.
    """

    name: str = ""
    description: str | None = None
    nodes: dict[str, NodeDefinition]
    edges: list[EdgeDefinition] = Field(default_factory=list)
    entry_point: str | None = None
    settings: Settings = Field(default_factory=Settings)

    @classmethod
    def from_document(cls, document: Any) -> Self:
        """Read a document that was validated before, such as a stored one or a loop's body.

        Raises ``pydantic.ValidationError`` for one that was not.
        """
        return cls.model_validate(document)


def to_document(definition: Definition) -> dict[str, Any]:
    """Return *definition* as the canonical document: plain JSON values, snake_case keys, unknown
    keys kept. Validating it again gives an equal definition."""
    return definition.to_document()

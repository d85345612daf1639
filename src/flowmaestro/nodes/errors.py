"""What can go wrong with nodes.

* :class:`NodeError`: a node failed, with a clear sentence for whoever watches the execution
* :class:`RegistryError`: the operator's own node types cannot be used

  * :class:`NodeModuleError`: a module could not be imported, or holds nothing to register
  * :class:`DuplicateName`: two node types or two functions claim one name
  * :class:`InvalidNodeFunction`: a decorated function whose signature cannot become a config
"""

from __future__ import annotations

from typing import Literal


class NodeError(Exception):
    """Raised by a node to fail with a sentence of its own.

    Any other exception fails the node too; this one says what readers should see and whether
    trying again can help.

    :param message: a sentence that says what failed and, if it can, what to do about it.
    :param code: a short ``snake_case`` name for programs; it becomes the event's ``error_code``.
    :param retryable: whether the node's retry policy applies. ``False`` fails it for good at once.
    """

    def __init__(self, message: str, *, code: str = "node_error", retryable: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retryable = retryable


class RegistryError(Exception):
    """A node type or function that cannot be registered."""


class NodeModuleError(RegistryError):
    """A module of node types that cannot be used; ``module`` is the name or path as given."""

    def __init__(self, module: str, reason: str) -> None:
        super().__init__(f"cannot load node types from {module!r}: {reason}")
        self.module = module
        self.reason = reason


class DuplicateName(RegistryError):
    """A name that is taken: by a built-in type, or by another function of the operator's."""

    def __init__(
        self, kind: Literal["node type", "function"], name: str, taken_by: str, claimed_by: str
    ) -> None:
        super().__init__(
            f"the {kind} {name!r} of {claimed_by} is already defined by {taken_by}: rename one"
        )
        self.kind = kind
        self.name = name


class InvalidNodeFunction(RegistryError):
    """A decorated function that cannot be called with a config; ``function`` says which."""

    def __init__(self, function: str, reason: str) -> None:
        super().__init__(f"{function} cannot be used as a node: {reason}")
        self.function = function
        self.reason = reason

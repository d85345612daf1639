"""What an engine raises.

::

    EngineError
    ├── AlreadyEnded           the execution to cancel has finished
    ├── InvalidInputs          the inputs do not fit the workflow; has ``problems``
    ├── UncallableWorkflow     a ``workflow`` node calls one that does not exist
    ├── EngineBusy             too many executions are unfinished: try again later
    ├── EngineOverloaded       they come faster than they can begin; has ``retry_after_seconds``
    └── EngineStopping         the server is shutting down: try again later
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowmaestro.storage import Execution
    from flowmaestro.workflow import Problem


class EngineError(Exception):
    """The root of what an engine raises."""


class AlreadyEnded(EngineError):
    """The execution has its terminal event; *execution* is how it ended."""

    def __init__(self, execution: Execution) -> None:
        super().__init__(f"The execution {execution.id!r} has already {_ENDS[execution.status]}.")
        self.execution = execution


_ENDS = {"completed": "completed", "failed": "failed", "cancelled": "been cancelled"}


class InvalidInputs(EngineError):
    """The inputs do not fit what the workflow's ``input`` nodes ask for."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


class UncallableWorkflow(EngineError):
    """A node calls a workflow that does not exist in its workspace."""

    def __init__(self, caller: str, node_id: str, workflow_id: str) -> None:
        super().__init__(
            f"The node {node_id!r} of {caller!r} calls the workflow {workflow_id!r}, "
            "which does not exist."
        )
        self.caller = caller
        self.node_id = node_id
        self.workflow_id = workflow_id


class EngineBusy(EngineError):
    """As many executions are unfinished as the engine accepts."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} executions are unfinished, which is as many as are accepted.")
        self.limit = limit


class EngineOverloaded(EngineError):
    """Executions come faster than this server can begin them, so that this one was refused."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            "More executions are asked for than this server can begin just now; "
            f"try again in {retry_after_seconds} s."
        )
        self.retry_after_seconds = retry_after_seconds


class EngineStopping(EngineError):
    """The engine is being shut down and takes no new work."""

    def __init__(self) -> None:
        super().__init__("The server is shutting down.")

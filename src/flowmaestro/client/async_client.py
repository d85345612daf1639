"""The asynchronous client."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from flowmaestro.client import calls
from flowmaestro.client.answers import Answer
from flowmaestro.client.async_stream import AsyncEventStream, AsyncLane, OnReconnect
from flowmaestro.client.backoff import Backoff
from flowmaestro.client.calls import Call, Definition
from flowmaestro.client.errors import CursorExpired, TransportError
from flowmaestro.client.models import ExecuteResponse, Execution, Ticket, Workflow
from flowmaestro.client.options import ClientOptions, resolve_options
from flowmaestro.client.pages import AsyncPage
from flowmaestro.client.retries import Reply, Send, Wait, send_with_retries
from flowmaestro.client.transport import (
    client_arguments,
    request_arguments,
    response_headers,
    translate,
)
from flowmaestro.events import Status

Result = TypeVar("Result")


class AsyncFlowMaestroClient:
    """A client of a FlowMaestro server. The tasks of one event loop may share it;
    close it, or use ``async with``.

    Args:
        api_key: ``fm_live_…`` or ``fm_test_…``; default: ``FLOWMAESTRO_API_KEY``.
        base_url: the server's address; default: ``FLOWMAESTRO_BASE_URL``, else
            ``http://127.0.0.1:8000``.
        timeout_seconds: how long connecting, sending and each wait for the answer's next bytes may
            take.
        max_retries: how many times a request that is safe to repeat is repeated, after network
            errors and the statuses 429, 502, 503 and 504.
        headers: sent with every request.
        http_client: an HTTP client of your own (proxies, certificates); it stays yours to close.
        backoff: how long to wait before a request is repeated or a stream reconnected.
        stall_seconds: how long a stream may be silent, heartbeats included, before it counts as
            broken.

    Raises:
        ConfigurationError: no API key is given or set, or a value cannot be used.

    Every method raises :class:`APIError` for an error of the server's, :class:`TransportError`
    when there is no answer, and :class:`UnexpectedResponse` when something else answers.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout_seconds: float = 30.0,
        max_retries: int = 3,
        headers: Mapping[str, str] | None = None,
        http_client: httpx2.AsyncClient | None = None,
        backoff: Backoff | None = None,
        stall_seconds: float = 45.0,
    ) -> None:
        options = resolve_options(
            api_key,
            base_url,
            timeout_seconds=timeout_seconds,
            max_retries=max_retries,
            headers=headers,
            backoff=backoff,
            stall_seconds=stall_seconds,
        )
        self._connector = AsyncConnector(options, http_client)
        self.workflows = AsyncWorkflows(self._connector)
        self.executions = AsyncExecutions(self._connector)

    @property
    def base_url(self) -> str:
        """Where the API begins, its version included."""
        return self._connector.options.base_url

    async def aclose(self) -> None:
        """Close the connections that are open; the client is of no more use."""
        await self._connector.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(server={self._connector.options.server!r})"


class AsyncConnector:
    """Carries calls to the server."""

    def __init__(self, options: ClientOptions, http_client: httpx2.AsyncClient | None) -> None:
        self.options = options
        self.http = http_client or httpx2.AsyncClient(**client_arguments(options))
        self._owned = http_client is None

    async def run(self, call: Call[Result]) -> Result:
        """Send *call*, repeating it as far as that is safe, and return what its answer holds."""
        arguments = request_arguments(self.options, call)
        steps = send_with_retries(self.options, repeatable=call.repeatable, random=random.random)
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as finished:
                answer: Answer = finished.value
                return call.read(answer)
            reply = None
            match step:
                case Send():
                    reply = await self._send(self.http.build_request(**arguments))
                case Wait():
                    await asyncio.sleep(step.seconds)

    async def _send(self, request: httpx2.Request) -> Answer | TransportError:
        try:
            response = await self.http.send(request, follow_redirects=False)
        except httpx2.HTTPError as error:
            return translate(self.options, error)
        return Answer(response.status_code, response_headers(response), response.content)

    async def aclose(self) -> None:
        if self._owned:
            await self.http.aclose()


class AsyncWorkflows:
    """``client.workflows``."""

    def __init__(self, connector: AsyncConnector) -> None:
        self._connector = connector

    async def list(self, *, page: int = 1, per_page: int = 20) -> AsyncPage[Workflow]:
        """Return one page of the workspace's workflows; iterate over it for all from there on.

        Args:
            page: from 1.
            per_page: 1 to 100.
        """
        items, pagination = await self._connector.run(calls.list_workflows(page, per_page))
        return AsyncPage(
            items, pagination, lambda number: self.list(page=number, per_page=per_page)
        )

    async def get(self, workflow_id: str) -> Workflow:
        """Return a workflow at its newest version.

        Raises:
            ResourceNotFound: there is none of this id.
        """
        return await self._connector.run(calls.get_workflow(workflow_id))

    async def create(self, definition: Definition, *, id: str | None = None) -> Workflow:  # noqa: A002
        """Store a workflow.

        Args:
            definition: its definition, as in JSON or YAML.
            id: the id it shall have; default: the definition's ``id``, else one that the server
                chooses.

        Raises:
            ValidationError: the definition is wrong (``details`` has every problem with its
                path), or the id is taken.
        """
        return await self._connector.run(calls.create_workflow(definition, id))

    async def update(self, workflow_id: str, definition: Definition) -> Workflow:
        """Replace a workflow's definition; executions that run keep theirs.

        Raises:
            ResourceNotFound: there is none of this id.
            ValidationError: the definition is wrong; ``details`` has every problem with its path.
        """
        return await self._connector.run(calls.update_workflow(workflow_id, definition))

    async def delete(self, workflow_id: str) -> None:
        """Delete a workflow; executions that run go on.

        Raises:
            ResourceNotFound: there is none of this id.
        """
        await self._connector.run(calls.delete_workflow(workflow_id))

    async def execute(
        self,
        workflow_id: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> ExecuteResponse:
        """Start an execution; follow it with ``client.executions.stream(answer.execution_id)``.

        Args:
            workflow_id: the workflow to run.
            inputs: JSON values by name.
            idempotency_key: a repeat with the same key returns the first one's answer. Default: a
                key of this call's own, which makes the client's repeats safe.

        Raises:
            ResourceNotFound: there is no such workflow.
            ValidationError: the inputs are wrong, or the key was used for other inputs.
        """
        return await self._connector.run(
            calls.execute_workflow(workflow_id, inputs, idempotency_key)
        )


class AsyncExecutions:
    """``client.executions``."""

    def __init__(self, connector: AsyncConnector) -> None:
        self._connector = connector

    async def list(
        self,
        *,
        workflow_id: str | None = None,
        status: Status | None = None,
        page: int = 1,
        per_page: int = 20,
    ) -> AsyncPage[Execution]:
        """Return one page of the workspace's executions, newest first; iterate over it for all.

        Args:
            workflow_id: only those of this workflow.
            status: only those that are ``pending``, ``running``, ``completed``, ``failed`` or
                ``cancelled``.
            page: from 1.
            per_page: 1 to 100.
        """
        call = calls.list_executions(workflow_id, status, page, per_page)
        items, pagination = await self._connector.run(call)

        async def fetch(number: int) -> AsyncPage[Execution]:
            return await self.list(
                workflow_id=workflow_id, status=status, page=number, per_page=per_page
            )

        return AsyncPage(items, pagination, fetch)

    async def get(self, execution_id: str) -> Execution:
        """Return an execution as it stands.

        Raises:
            ResourceNotFound: there is none of this id.
        """
        return await self._connector.run(calls.get_execution(execution_id))

    async def cancel(self, execution_id: str, *, reason: str | None = None) -> Execution:
        """Cancel an execution and return it.

        Args:
            execution_id: which one.
            reason: why, for those who watch it: 1 to 1,000 characters; the server says something
                general without one.

        Raises:
            ResourceNotFound: there is none of this id.
            ValidationError: it has ended already, or the reason is too long.
        """
        return await self._connector.run(calls.cancel_execution(execution_id, reason))

    async def create_ticket(self, execution_id: str, *, ttl_seconds: int = 300) -> Ticket:
        """Return a ticket, which opens the event stream of this one execution, and nothing else,
        in a place that no key should go to: a web page.

        Args:
            execution_id: which one.
            ttl_seconds: for how long a stream can be opened with it, 1 to 3,600; one that is open
                then goes on.

        Raises:
            ResourceNotFound: there is none of this id.
        """
        return await self._connector.run(calls.create_ticket(execution_id, ttl_seconds))

    async def wait_for_completion(
        self, execution_id: str, *, timeout_seconds: float | None = None
    ) -> Execution:
        """Wait until an execution has ended, and return it, however it ended: look at ``status``.

        It waits on the execution's stream, through disconnects; nothing is polled.

        Raises:
            ResourceNotFound: there is none of this id.
            DeadlineExceeded: it did not end within *timeout_seconds*; it goes on.
        """
        try:
            async with self.stream(
                execution_id, types=("execution:completed",), timeout_seconds=timeout_seconds
            ) as events:
                async for _ in events:
                    pass
        except CursorExpired:
            # Only a log that has ended is trimmed.
            execution = await self.get(execution_id)
            if not execution.ended:
                raise
            return execution
        return await self.get(execution_id)

    def stream(
        self,
        execution_id: str,
        last_event_id: int = 0,
        types: Collection[str] | None = None,
        include: Collection[str] | None = None,
        *,
        timeout_seconds: float | None = None,
        max_reconnects: int | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> AsyncEventStream:
        """Return an asynchronous iterator over an execution's events, which follows it to its end.

        Disconnects are bridged: every event comes once, in order, and the iterator ends only after
        the terminal event. ``event.type`` tells events apart, ``event.number`` counts them.
        Nothing is sent before the first event is awaited.

        Args:
            execution_id: the execution to follow.
            last_event_id: the number of the last event already known; 0 begins at the start.
            types: only these; terminal events always come.
            include: extension events to send as well, such as ``node:retrying``.
            timeout_seconds: how long the whole stream may take.
            max_reconnects: how many reconnects in a row may bring no event; default: any number,
                once a server has answered.
            on_reconnect: called before each wait to reconnect.

        Iterating raises:
            ResourceNotFound: there is none of this id.
            CursorExpired: the events after *last_event_id* are no longer retained.
            DeadlineExceeded: *timeout_seconds* are over.
            StreamProtocolError: the server sends what no stream carries.
            TransportError, StreamError: reconnecting did not help.
        """
        call = calls.stream_events(execution_id, last_event_id, types, include)
        lane = AsyncLane(
            self._connector.http,
            self._connector.options,
            call,
            max_reconnects=max_reconnects,
            timeout_seconds=timeout_seconds,
            on_reconnect=on_reconnect,
        )
        return AsyncEventStream(lane)

"""The catch-all: whatever a route raises, the caller gets the one error shape."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowmaestro.api.failures import translate
from flowmaestro.api.responses import failure, request_id

logger = logging.getLogger("flowmaestro.api")


class FailureMiddleware:
    """Answers with the error that an exception translates to; the unforeseen is logged whole.

    It sits inside CORS, so that a web page may read what went wrong. Once a response has begun, all
    that is left is to raise again: the server then cuts the connection, and the client sees that
    the response is not whole.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        responding = False

        async def noting_send(message: Message) -> None:
            nonlocal responding
            responding = True
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            if responding:
                raise
            answer = translate(error)
            if answer.status == 500:
                logger.exception("request failed", extra={"request_id": request_id(scope)})
            await failure(scope, answer)(scope, receive, send)

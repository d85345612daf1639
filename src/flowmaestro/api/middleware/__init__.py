"""The pure-ASGI layers around the routes; from the outside in:

    request.py      request id, access log, request metrics
    cors.py         which web pages may call
    failures.py     what escapes a route becomes an error response
    admission.py    how many requests at once, and no executions when there are too many
    body_limit.py   how large a body may be, and all of them together

None of them is Starlette's ``BaseHTTPMiddleware``: that one puts a task and a queue between a
stream and its socket.
"""

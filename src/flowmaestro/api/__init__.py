"""The HTTP API: keys and scopes, the one error shape, limits, and the routes.

Reading order: ``app`` (how it is put together), ``routes/`` (what it answers), ``auth``, ``errors``
and ``failures`` (what it refuses and how), ``middleware/``, ``stream/`` (the events), ``openapi``.

Nothing is imported here, so that ``api.keys`` is cheap for the command line.
"""

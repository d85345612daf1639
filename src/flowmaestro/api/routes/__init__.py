"""The routes: ``workflows``, ``executions`` and ``operations`` (health, metrics, documentation).

``table`` says what a route is; each module exports its own as ``ROUTES``.
"""

"""Connections of ``http`` nodes to the outside, and what they may reach.

Reading order: ``addresses`` (which addresses are public; pure), ``allowed`` (what an operator
allows besides), ``resolver`` and ``guard`` (a host's name to the addresses that may be connected
to), ``scope`` (which requests may share a connection), ``backend`` (connects to those addresses,
and to nothing else), ``proxies`` and ``transport`` (both behind an HTTP client).
"""

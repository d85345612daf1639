"""What a client meets at a server's URL, through whatever proxies are in between.

    checks.py     the checks, in order
    reach.py      does it answer, is it ours, its version and clock, its metrics
    transport.py  TLS, HTTP version, what answers in between
    reading.py    a stream that is read in a thread, with the moment of each arrival
    probe.py      the execution that is made to be streamed
    streams.py    are frames held back, compressed or cut; does the cursor arrive
    verdicts.py   what it means how frames came

It needs no more than the SDK does.
"""

from flowmaestro.main.doctor.remote.checks import check_server

__all__ = ["check_server"]

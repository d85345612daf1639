"""How long to wait before a node's next attempt."""

from __future__ import annotations

from flowmaestro.workflow.definition import RetryPolicy

_FACTORS = {"fixed": 1.0, "exponential": 2.0}


def delay_ms(policy: RetryPolicy, failures: int) -> int:
    """Return the milliseconds to wait after the given number of *failures* (from 1).

    ``initial_delay_ms`` is the wait after the first failure; it grows with every further one::

        fixed         initial
        linear        initial × failures
        exponential   initial × 2 ** (failures - 1)
        a number f    initial × f ** (failures - 1)

    and is never more than ``max_delay_ms``. With 500 ms, exponential and a maximum of 3,000 ms an
    author sees waits of 500, 1,000, 2,000, 3,000, 3,000, … milliseconds.
    """
    if policy.backoff == "linear":
        wait = float(policy.initial_delay_ms) * failures
    else:
        factor = _FACTORS[policy.backoff] if isinstance(policy.backoff, str) else policy.backoff
        # 10 ** 100 is still a float: attempts and factors are bounded by the policy's fields.
        wait = policy.initial_delay_ms * factor ** (failures - 1)
    return int(min(wait, policy.max_delay_ms))

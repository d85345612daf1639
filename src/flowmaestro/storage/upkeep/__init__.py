"""What operators do with a database as a file: back it up, restore it, look whether it is whole.

Reading order: ``files`` (the files of a database, and copying one while it is written to),
``inspection`` (is it ours, is it whole), ``backup``, ``restore``, ``audit`` (the promises of the
logs), ``lock_state`` (whether a server has it).

These work on the file itself and on the driver, in the calling thread: no server need run, and one
that runs is not disturbed.
"""

from flowmaestro.storage.upkeep.audit import AuditFault, LogAudit, audit_logs
from flowmaestro.storage.upkeep.backup import back_up
from flowmaestro.storage.upkeep.files import Progress
from flowmaestro.storage.upkeep.inspection import Summary, inspect, open_to_read
from flowmaestro.storage.upkeep.lock_state import LockState, lock_state
from flowmaestro.storage.upkeep.restore import Restored, restore

__all__ = [
    "AuditFault",
    "LockState",
    "LogAudit",
    "Progress",
    "Restored",
    "Summary",
    "audit_logs",
    "back_up",
    "inspect",
    "lock_state",
    "open_to_read",
    "restore",
]

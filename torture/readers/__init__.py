"""Those who follow executions. Each adds what it is sent to a list, as it comes, and stops at the
terminal event or when the server says that there is nothing more."""

from torture.readers.curl import follow_with_curl
from torture.readers.habits import HABITS, Habits
from torture.readers.plain import follow
from torture.readers.stream import Connection, Ended, Refused

__all__ = ["HABITS", "Connection", "Ended", "Habits", "Refused", "follow", "follow_with_curl"]

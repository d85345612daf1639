"""``flowmaestro doctor``: what an operator would look at when something is wrong, and before.

    findings.py        what a check finds: ok, warning or problem, and what to do
    local.py           the checks of this machine and its database, in order
      machine.py       Python and SQLite
      configuration.py the settings, node types and model providers
      files.py         permissions, room, the file system, the disk
      database.py      pages, logs, clock, keys
      serving.py       the lock, and the limit of open files
    remote/            what a client meets at a URL, through whatever is in between

Each check takes values and returns a finding, or yields some. ``remote`` needs no more than the
SDK does; the rest needs the server extras.
"""

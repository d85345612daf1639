"""Tries to make a server of event streams lose, repeat, reorder or change an event, and says what
it found. ``make torture``, or ``python -m torture --help``.

It knows no server. What it tortures is a :class:`~torture.subject.Subject`: how to start the
process, how to begin an execution, how to ask for its stream, what its log on the disk holds.
``subjects/`` has FlowMaestro's, and that of a small server that keeps its events in memory, which
must be found at fault.

Reading order: ``oracle`` (the laws, pure), ``subject`` (what a server must tell of itself),
``wire`` (HTTP and Server-Sent Events, from the specifications, sharing no code with any server),
``proxy`` (what happens to connections), ``faults`` (what happens to the process), ``readers/`` (who
follows), ``round`` (all of it at once), ``tally`` (what is told at the end).
"""

"""Fan-out: what it costs to bring one event to many readers, beside others that do so.

Read on in ``__main__`` (the command), ``scenarios`` (what is measured), ``peers`` (who is
measured), ``native/generator.c`` (the readers) and ``report`` (the tables and the plot).
"""

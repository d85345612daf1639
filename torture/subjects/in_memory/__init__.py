"""What is quickly written: a server that keeps its events in a list, and resumes from it.

It streams well, and holds while its process lives and nobody is unlucky. It is here to be caught.
"""

from torture.subjects.in_memory.subject import InMemory

__all__ = ["InMemory"]

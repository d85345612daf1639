"""SQLite: the engines, the one writer thread with its group commit, and the reader threads."""

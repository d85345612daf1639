"""What ``flowmaestro demo`` runs: a workflow, its own nodes, and a text to read."""

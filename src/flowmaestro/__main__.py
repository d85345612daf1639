"""``python -m flowmaestro`` is the command ``flowmaestro``."""

from flowmaestro.cli import main

main()

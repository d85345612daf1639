"""The help of a command, with arguments named as the documentation names them."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

_BRACES = re.compile(r"\{([A-Z_]+)\}")
_TYPE = re.compile(r"^( +[A-Z_]+) <\w+>", re.MULTILINE)


class PlainCommand(TyperCommand):
    """A command whose help says ``FILE``, where typer says ``{FILE}`` and ``FILE <path>``."""

    def get_help(self, ctx: Any) -> str:
        """Return the help as it is shown."""
        return _TYPE.sub(r"\1", _BRACES.sub(r"\1", super().get_help(ctx)))

"""The documentation's pages as tests read them: fenced blocks, and tables.

A fence says what a block is: its language, then what to do with it.

======================  ==========================================================================
```` ```yaml workflow ````  a definition, run by the test; ``json workflow`` as well. What follows
                        belongs to it: ``json inputs``, then ``json outputs`` (the execution's) or
                        ``text error`` (its sentence). With neither it is stored, for ``workflow``
                        nodes of the page to call
``yaml refused``        a definition that validation refuses, for the reasons in ``text error``
``LANGUAGE file=NAME``  a file that the page's later blocks use
``bash run``            commands, run in one shell for the page; ``python run``: likewise
``… output``            what the block before printed, where ``…`` stands for anything
``bash server``         commands; the last one is left running, for the rest of the page
``json event``          an event, as the log holds it
``json response``       a body, shown and not compared
``LANGUAGE not-run``    what a test cannot run here, such as an installation
======================  ==========================================================================

A block without a second word is text, or a language that nothing here runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>.*)$")
_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_RUNNABLE = frozenset({"bash", "json", "python", "sh", "yaml"})
_ROLES = frozenset(
    {
        *("workflow", "refused", "inputs", "outputs", "error", "run", "output", "server"),
        *("event", "response", "not-run"),
    }
)


@dataclass(frozen=True)
class Block:
    """A fenced block. ``line`` is that of its first line of text."""

    page: str
    line: int
    language: str
    role: str
    """The second word, ``file`` for ``file=NAME``, empty if there is none."""
    name: str
    """The file's name."""
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """The pages for users; the decisions are for those who work on the code."""
    return [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def name_of(page: Path) -> str:
    """Return the page's name as seen from ``docs/``: there are two of the name ``README.md``."""
    return page.name if page.parent == DOCS else f"../{page.name}"


def blocks_of(path: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order.

    Raises :class:`ValueError` for a fence that is not closed or says something unknown.
    """
    return list(_blocks(name_of(path), path.read_text().splitlines()))


def _blocks(page: str, lines: list[str]) -> Iterator[Block]:
    open_: tuple[int, str, str, str] | None = None
    text: list[str] = []
    for number, line in enumerate(lines, start=1):
        fence = _FENCE.match(line)
        if open_ is None:
            if fence is not None:
                open_, text = (number, fence["indent"], fence["ticks"], fence["info"].strip()), []
        elif fence is not None and not fence["info"] and fence["ticks"] == open_[2]:
            yield _block(page, open_[0] + 1, open_[3], text)
            open_ = None
        else:
            text.append(line.removeprefix(open_[1]))
    if open_ is not None:
        raise ValueError(f"{page}:{open_[0]}: the fence is not closed")


def _block(page: str, line: int, info: str, text: list[str]) -> Block:
    language, _, role = info.partition(" ")
    name = ""
    if role.startswith("file="):
        role, name = "file", role.removeprefix("file=")
    elif role and role not in _ROLES:
        raise ValueError(f"{page}:{line}: no test knows what {role!r} is")
    elif not role and language in _RUNNABLE:
        raise ValueError(f"{page}:{line}: say what is to be done with this {language}")
    return Block(page, line, language, role, name, "\n".join(text) + "\n")


def section(path: Path, heading: str) -> str:
    """Return the text under *heading* (its text without ``#``), up to the next heading of its
    level or above.

    Raises :class:`LookupError` if the page has no such heading.
    """
    lines = path.read_text().splitlines()
    found: list[str] | None = None
    level = 0
    for line in lines:
        match = re.match(r"(#+) (.*)", line)
        if match is not None and found is None and match[2] == heading:
            found, level = [], len(match[1])
        elif match is not None and found is not None and len(match[1]) <= level:
            break
        elif found is not None:
            found.append(line)
    if found is None:
        raise LookupError(f"{path.name} has no heading {heading!r}")
    return "\n".join(found)


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row in *text*, heads and rules left out."""
    found: list[list[str]] = []
    lines = text.splitlines()
    for index, line in enumerate(lines):
        is_head = index + 1 < len(lines) and re.fullmatch(r"\|[ :|-]+\|", lines[index + 1])
        if not line.startswith("|") or re.fullmatch(r"\|[ :|-]+\|", line) or is_head:
            continue
        cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
        found.append([cell.strip().replace("\\|", "|") for cell in cells])
    return found


def code_in(text: str) -> list[str]:
    """Return what stands in backticks in *text*, fenced blocks left out."""
    return _CODE.findall(_FENCED.sub("", text))


def first_codes(text: str) -> list[str]:
    """Return what stands in backticks in the first cell of each table row in *text*."""
    return [code for row in rows(text) for code in code_in(row[0])]

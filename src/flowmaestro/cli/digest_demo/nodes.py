"""The demo's own nodes: plain Python functions that a workflow calls by name."""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from typing import Any

from flowmaestro import NodeContext, function

Section = dict[str, Any]

_STOP_WORDS = frozenset(
    """
    a about above after again all also altogether am an and any are as at be because been
    before being but by can cannot could did do does down even ever every far for from had
    has have he her here him his how i if in into is it its itself less let like long may me
    might more most must my neither no none nor not now of on one only or other our out over
    own rather shall she should so some somehow still such than that the thee their them
    then there these they this those thou though thus to too two under until unto up upon us
    was we were what when where whether which while who whom whose will with would yet you
    your
    """.split()  # noqa: SIM905 - a list of 130 quoted words is no easier to read
)
_SECTION_WORDS = 250


@function
def split_sections(text: str) -> dict[str, Any]:
    """Split a text at its headings (lines that begin with ``#``), and where it has none into
    pieces of about 250 words."""
    sections = [
        {"title": title.strip() or f"Part {index}", "text": body.strip()}
        for index, (title, body) in enumerate(_headed(text), start=1)
        if body.strip()
    ]
    if len(sections) <= 1:
        sections = _pieces(text)
    return {"sections": sections, "words": len(_words(text))}


@function
async def score_sentences(section: Section, context: NodeContext) -> dict[str, Any]:
    """Score each sentence by how much it says in the section's own frequent terms."""
    sentences = _sentences(section["text"])
    frequencies = Counter(_terms(section["text"]))
    scored = []
    for done, sentence in enumerate(sentences, start=1):
        terms = _terms(sentence)
        weight = sum(frequencies[term] for term in set(terms))
        score = weight / math.sqrt(len(terms) + 5)
        scored.append({"sentence": sentence, "score": round(score, 3)})
        await context.progress(100 * done / len(sentences))
        await asyncio.sleep(0)
    context.log(f"scored {len(scored)} sentences of {section['title']!r}")
    return {"title": section["title"], "sentences": scored}


@function
def count_terms(section: Section) -> dict[str, Any]:
    """Count the terms of a section."""
    return {"terms": dict(Counter(_terms(section["text"])).most_common(40))}


@function
def rank(results: list[dict[str, Any]], highlights: int) -> dict[str, Any]:
    """Put the sections together: the best sentence of each, the best of all, the terms of all."""
    terms: Counter[str] = Counter()
    sections, everything = [], []
    for result in results:
        terms.update(result["terms"])
        ordered = sorted(result["sentences"], key=lambda item: -item["score"])
        everything.extend(ordered)
        sections.append(
            {
                "title": result["title"],
                "best": ordered[0]["sentence"] if ordered else "",
                "sentences": len(ordered),
            }
        )
    everything.sort(key=lambda item: -item["score"])
    return {
        "sections": sections,
        "highlights": [item["sentence"] for item in everything[:highlights]],
        "terms": [{"term": term, "count": count} for term, count in terms.most_common(12)],
    }


@function
def render_report(
    title: str, words: int, digest: dict[str, Any], lead: str, summary: str = ""
) -> dict[str, Any]:
    """Write the digest as Markdown."""
    lines = [f"# Digest of {title}", "", f"{words:,} words. {lead}", ""]
    if summary:
        lines += ["## Summary", "", summary.strip(), ""]
    lines += ["## Highlights", ""]
    lines += [f"> {sentence}\n" for sentence in digest["highlights"]]
    lines += ["## Sections", ""]
    for section in digest["sections"]:
        lines += [f"- **{section['title']}** ({section['sentences']} sentences): {section['best']}"]
    lines += ["", "## Terms", ""]
    lines += [", ".join(f"{entry['term']} ({entry['count']})" for entry in digest["terms"]), ""]
    return {"markdown": "\n".join(lines)}


def _headed(text: str) -> list[tuple[str, str]]:
    parts = re.split(r"^#+[ \t]*(.*)$", text, flags=re.MULTILINE)
    return [("", parts[0]), *zip(parts[1::2], parts[2::2], strict=True)]


def _pieces(text: str) -> list[Section]:
    pieces: list[list[str]] = [[]]
    for paragraph in re.split(r"\n\s*\n", text):
        if sum(len(part.split()) for part in pieces[-1]) >= _SECTION_WORDS:
            pieces.append([])
        if paragraph.strip():
            pieces[-1].append(paragraph.strip())
    return [
        {"title": f"Part {index}", "text": "\n\n".join(piece)}
        for index, piece in enumerate(pieces, start=1)
        if piece
    ]


def _sentences(text: str) -> list[str]:
    flat = " ".join(text.split())
    return [part for part in re.split(r"(?<=[.!?])[\"”’)]?\s+(?=[A-Z\"“(])", flat) if part]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text)


def _terms(text: str) -> list[str]:
    return [
        word for word in map(str.lower, _words(text)) if len(word) > 2 and word not in _STOP_WORDS
    ]

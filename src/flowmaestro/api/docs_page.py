"""The documentation page: the OpenAPI description as plain HTML, rendered here.

It needs no script and nothing from another host, so it works where a self-hosted server often is:
behind a firewall.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.45 ui-monospace, monospace; }
details { border-top: 1px solid #8884; padding: .5rem 0; }
summary { cursor: pointer; }
pre { overflow-x: auto; background: #8881; padding: .75rem; border-radius: .375rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
"""


def render_docs(document: Mapping[str, Any]) -> str:
    """Return the page for an OpenAPI *document*."""
    info = document["info"]
    body = "".join(
        (
            f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
            f"<p>{escape(info.get('description', ''))}</p>",
            '<p>For tools: <a href="openapi.json">openapi.json</a></p>',
            *_operations(document),
            "<h2>Schemas</h2>",
            *_schemas(document),
        )
    )
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["Other"])[0]
            by_tag.setdefault(tag, []).append(_operation(method, path, operation))
    for tag, operations in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>{''.join(operations)}"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [
        f"<details><summary><span class=method>{escape(method.upper())}</span>"
        f"<code>{escape(path)}</code> {escape(operation.get('summary', ''))}</summary>",
        f"<p>{escape(operation.get('description', ''))}</p>",
    ]
    if parameters := operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(parameter['name'])}</code><td>{escape(parameter['in'])}"
            f"<td>{escape(parameter.get('description', ''))}"
            f"<td><code>{escape(json.dumps(parameter.get('schema', {})))}</code>"
            for parameter in parameters
        )
        parts.append(f"<table><tr><th>Parameter<th>In<th>Meaning<th>Schema{rows}</table>")
    if body := operation.get("requestBody"):
        for media_type, content in body["content"].items():
            parts.append(f"<p>Body, <code>{escape(media_type)}</code>:</p>{_json(content)}")
    rows = "".join(
        f"<tr><td>{escape(status)}<td>{escape(response['description'])}"
        f"<td>{escape(', '.join(response.get('content', {})))}"
        for status, response in operation["responses"].items()
    )
    parts.append(f"<table><tr><th>Status<th>Meaning<th>Content{rows}</table></details>")
    return "".join(parts)


def _schemas(document: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        yield (f"<details><summary><code>{escape(name)}</code></summary>{_json(schema)}</details>")


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"

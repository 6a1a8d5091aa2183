"""``/docs``: the OpenAPI document as one HTML page of our own, which loads nothing from anywhere."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733}
code,pre{font:13px/1.45 ui-monospace,monospace}pre{background:#f3f5f7;padding:.75rem;overflow-x:auto;border-radius:6px}
section{border-top:1px solid #d5dbe1;padding:.5rem 0}h3 code{font-size:15px}b{display:inline-block;min-width:4rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}
a{color:#0b6bcb}"""


def docs_page(document: Mapping[str, Any]) -> str:
    """The page for this OpenAPI 3.1 document."""
    parts = []
    for path, operations in document["paths"].items():
        parts += [_operation(document, path, method, operation) for method, operation in operations.items()]
    schemas = document.get("components", {}).get("schemas", {})
    models = "".join(
        f'<section id="{escape(name)}"><h3>{escape(name)}</h3><pre>{escape(json.dumps(schema, indent=1, ensure_ascii=False))}'
        "</pre></section>"
        for name, schema in schemas.items()
    )
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body><h1>{escape(info['title'])} API "
        f"{escape(info['version'])}</h1><p>{escape(info.get('description', ''))}</p>"
        f'<p>The document itself: <a href="/api/v1/openapi.json">/api/v1/openapi.json</a></p>{"".join(parts)}'
        f"<h2>Schemas</h2>{models}</body></html>"
    )


def _operation(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(parameter['name'])}</code>{' *' if parameter.get('required') else ''}</td>"
        f"<td>{escape(parameter['in'])}</td><td><code>{escape(json.dumps(parameter.get('schema', {})))}</code></td>"
        f"<td>{escape(parameter.get('description', ''))}</td></tr>"
        for parameter in operation.get("parameters", [])
    )
    table = f"<table><tr><th>parameter<th>in<th>schema<th></tr>{rows}</table>" if rows else ""
    body = ""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        body = f"<p>Body: {_link(media.get('schema', {}))}</p>"
    answers = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(answer.get('description', ''))}</td><td>"
        + " ".join(
            f"{escape(media)} {_link(content.get('schema', {}))}"
            for media, content in answer.get("content", {}).items()
        )
        + "</td></tr>"
        for status, answer in operation.get("responses", {}).items()
    )
    return (
        f"<section><h3><b>{escape(method.upper())}</b> <code>{escape(path)}</code></h3><p><strong>"
        f"{escape(operation.get('summary', ''))}.</strong> {escape(operation.get('description', ''))}</p>{table}{body}"
        f"<table>{answers}</table></section>"
    )


def _link(schema: Mapping[str, Any]) -> str:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return f'<a href="#{escape(name)}">{escape(name)}</a>' if name else ""

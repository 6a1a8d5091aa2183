"""Write ``docs/openapi.json``: ``python -m cloud_api.openapi [FILE]``. A test holds the committed file equal to the code."""

import json
import sys
from pathlib import Path
from typing import Any, cast

from prometheus_client import CollectorRegistry

from cloud_api.app import build_app, openapi_document
from cloud_api.parts import Parts

COMMITTED = Path(__file__).parent.parent / "docs" / "openapi.json"


class _NoParts:
    """The document depends on the routes alone; these parts only let the app be built."""

    console = Path("web/dist")

    def __init__(self) -> None:
        self.metrics = CollectorRegistry()

    def __getattr__(self, name: str) -> None:
        return None


def document_text() -> str:
    """The document as the file holds it."""
    app = build_app(cast(Parts, cast(Any, _NoParts())))
    return json.dumps(openapi_document(app), indent=1, ensure_ascii=False, sort_keys=False) + "\n"


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else COMMITTED).write_text(document_text(), encoding="utf-8")

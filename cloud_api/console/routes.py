"""Serve the console's build: hashed assets for ever, the page itself never cached, every path of the app to the page."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from cloud_api.people.access import PUBLIC
from cloud_api.problems import answer

_ABSENT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Linli</title>
<h1>邻里 Linli</h1>
<p>The cloud is running, the console is not built. Run <code>make web</code> in the source folder and load this page again.</p>
<p>云端服务正在运行，控制台尚未构建。请在源码目录运行 <code>make web</code>，然后刷新本页。</p>
<p>The API: <a href="/docs">/docs</a></p></html>"""

# Scripts only from here, nothing inline. Mantine and ECharts set styles from script, which needs inline styles.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""On every response of the program, not only the console's."""


def console_router(build: Path) -> APIRouter:
    """Routes for the build in this folder; mount them last. The folder is looked at on each request."""
    router = APIRouter(include_in_schema=False)

    @router.get("/{path:path}", openapi_extra=PUBLIC)  # not async: it looks at files, so it runs in a thread
    def console(path: str, request: Request) -> Response:
        if path.startswith("api/"):
            return answer(request, "not_found", f"there is nothing at /{path}")
        file = (build / path).resolve()
        if path and file.is_relative_to(build.resolve()) and file.is_file():
            # Vite puts a hash of the content into the name of everything under assets/.
            cache = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
            return FileResponse(file, headers={"Cache-Control": cache})
        if path.startswith("assets/"):
            return answer(request, "not_found", f"there is nothing at /{path}")
        page = build / "index.html"
        if not page.is_file():
            return HTMLResponse(_ABSENT, status_code=503 if path else 200, headers={"Cache-Control": "no-store"})
        return FileResponse(page, media_type="text/html", headers={"Cache-Control": "no-cache"})

    return router

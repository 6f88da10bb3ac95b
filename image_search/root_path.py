"""Below which path of its host the app answers, as ROOT_PATH says it."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
# What the app's own addresses begin with. Below one of these it could not tell whether
# a proxy has taken the root path away: /img/cat.png would be two things.
OWN_SEGMENTS = {
    "archive",
    "assets",
    "docs",
    "duplicates",
    "examples",
    "export",
    "folders",
    "health",
    "img",
    "mcp",
    "metrics",
    "months",
    "openapi.json",
    "photo",
    "search",
    "status",
    "thumb",
}


def parse_root_path(text: str) -> str:
    """Read a path such as `/photos`; "" is the host's root. Raises ValueError."""
    text = text.strip()
    path = text.rstrip("/")
    if not path:
        return ""
    first, *segments = path.split("/")
    if first:
        raise ValueError(
            "it has to begin with /: of https://example.org/photos write /photos"
        )
    if not all(map(SEGMENT.fullmatch, segments)):
        raise ValueError(
            "it has to be a path alone, such as /photos: of letters, digits"
            " and - . _ ~, with / between them"
        )
    if segments[0] in OWN_SEGMENTS:
        raise ValueError(
            f"the app's own addresses begin with /{segments[0]}: choose"
            " another path, such as /photos"
        )
    return path


class RootPathMiddleware:
    """Has the app answer below its root path, and at the host's root as well.

    Some proxies take that path away before they hand a request on, others don't.
    Whatever came, the path begins with it from here on, as ASGI wants it.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        """`root_path`: as `parse_root_path` returns it."""
        self.app = app
        self.root_path = root_path

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if self.root_path and scope["type"] == "http":
            # The server's own option puts it before any path.
            given = scope.get("root_path", "")
            path = scope["path"].removeprefix(given)
            if not f"{path}/".startswith(f"{self.root_path}/"):
                path = self.root_path + path
            scope = {**scope, "path": path, "root_path": self.root_path}
        await self.app(scope, receive, send)


def path_below_root(scope: Scope) -> str:
    """The path that is asked for, wherever the app lies: `/docs`, say."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))

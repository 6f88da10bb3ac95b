"""Photos for programs that speak MCP, the Model Context Protocol, at /mcp.

https://modelcontextprotocol.io: an assistant asks for photos as a person does. Each
request stands by itself, so that it may go to any of several processes.
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskStatus
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from image_search.mcp_tools import Part, PhotoTools, ToolFailed

if TYPE_CHECKING:
    from mcp import types
    from mcp.server.lowlevel import Server

PATH = "/mcp"
INSTRUCTIONS = (
    "Finds photos in somebody's own collection by what is seen on them, in plain"
    " words such as 'a dog on the beach'. It does not read words on photos, and knows"
    " nobody by name: say what can be seen."
)


class McpEndpoint:
    """What answers at /mcp, while it is `serving`."""

    def __init__(self) -> None:
        self._begin: Callable[[], Awaitable[ASGIApp]] | None = None

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if self._begin is None:
            detail = {"detail": "The app is starting, or being stopped."}
            answer = JSONResponse(detail, 503, {"Retry-After": "2"})
            await answer(scope, receive, send)
            return
        app = await self._begin()
        await app(scope, receive, send)

    @contextlib.asynccontextmanager
    async def serving(self, tools: PhotoTools) -> AsyncIterator[None]:
        """Answer with these tools.

        The protocol's own code takes half a second to load: the first who asks waits
        for it, and no start of the app.
        """
        first = asyncio.Lock()
        apps: list[ASGIApp] = []
        async with anyio.create_task_group() as group:

            async def begin() -> ASGIApp:
                async with first:
                    if not apps:
                        server = await asyncio.to_thread(make_server, tools)
                        app = _http_app_of(server)
                        await group.start(_run, server)
                        apps.append(app)
                return apps[0]

            self._begin = begin
            try:
                yield
            finally:
                self._begin = None
                group.cancel_scope.cancel()


async def _run(server: "Server[Any]", *, task_status: TaskStatus[None]) -> None:
    """Let a server work on requests, until it is cancelled."""
    async with server.session_manager.run():
        task_status.started()
        await anyio.sleep_forever()


def make_server(tools: PhotoTools) -> "Server[Any]":
    """What speaks MCP, and has these tools."""
    from mcp import types
    from mcp.server.lowlevel import Server

    only_reads = types.ToolAnnotations(
        read_only_hint=True, open_world_hint=False
    )
    described = [
        types.Tool(
            name=tool.name,
            description=tool.arguments.__doc__,
            input_schema=tool.arguments.model_json_schema(),
            annotations=only_reads,
        )
        for tool in tools.all
    ]

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=described)

    async def call_tool(
        context: Any, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        client = context.request and context.request.client
        address = client.host if client else ""
        try:
            parts = await tools.call(
                params.name, params.arguments or {}, address
            )
        except ToolFailed as error:
            said = _content(str(error))
            return types.CallToolResult(content=[said], is_error=True)
        content = [_content(part) for part in parts]
        return types.CallToolResult(content=content)

    return Server(
        "image-search",
        title="Image search",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _content(part: Part) -> "types.TextContent | types.ImageContent":
    from mcp import types

    if isinstance(part, str):
        return types.TextContent(text=part)
    data = base64.b64encode(part).decode()
    return types.ImageContent(data=data, mime_type="image/jpeg")


def _http_app_of(server: "Server[Any]") -> ASGIApp:
    from mcp.server.transport_security import TransportSecuritySettings

    return server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        # The app itself looks at Host headers, by ALLOWED_HOSTS.
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=False
        ),
    )

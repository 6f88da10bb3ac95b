"""Asks the app as an assistant would: by the client of MCP's own makers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client


def ask(
    url: str,
    question: Callable[[Client], Awaitable[Any]],
    auth: tuple[str, str] | None = None,
) -> Any:
    """Let a client ask something at an address."""

    async def session() -> Any:
        async with httpx2.AsyncClient(auth=auth, timeout=30) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport) as client:
                return await question(client)

    return asyncio.run(session())


def call(
    url: str,
    tool: str,
    auth: tuple[str, str] | None = None,
    **arguments: Any,
) -> types.CallToolResult:
    result = ask(url, lambda client: client.call_tool(tool, arguments), auth)
    assert isinstance(result, types.CallToolResult)
    return result

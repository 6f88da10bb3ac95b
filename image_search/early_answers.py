"""Answers that are given before all of a request has come.

It is too large, or refused. A server that closes a connection
while something still arrives resets it, and the answer is lost
on its way: nginx says "502 Bad Gateway" then. So where the
connection ends with the answer, as most proxies want it to, the
rest of the request is taken first.
"""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Who sends for longer has no use for an answer.
LONGEST_REST = 10.0


class EarlyAnswerMiddleware:
    """Takes what is left of a request before its answer ends.

    It is thrown away.
    """

    def __init__(self, app: ASGIApp, longest: float = LONGEST_REST) -> None:
        """`longest`: seconds that it may take to come."""
        self.app = app
        self.longest = longest

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if not _ends_with_answer(scope):
            await self.app(scope, receive, send)
            return
        has_come = False

        async def receive_part() -> Message:
            nonlocal has_come
            message = await receive()
            has_come = not message.get("more_body")
            return message

        async def receive_rest() -> None:
            while not has_come:
                await receive_part()

        async def send_part(message: Message) -> None:
            if has_come or not _is_last(message):
                await send(message)
                return
            # Its end would close the connection.
            await send({**message, "more_body": True})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.longest):
                    await receive_rest()
            await send({"type": "http.response.body"})

        await self.app(scope, receive_part, send_part)


def _is_last(message: Message) -> bool:
    """Whether an answer ends with it."""
    is_body = message["type"] == "http.response.body"
    return is_body and not message.get("more_body")


def _ends_with_answer(scope: Scope) -> bool:
    """Whether a connection is to be closed that brings a body."""
    if scope["type"] != "http":
        return False
    headers = Headers(scope=scope)
    lengths = {"content-length", "transfer-encoding"}
    if lengths.isdisjoint(headers):
        return False
    if "expect" in headers:
        return False  # who asks first is sent no leave
    ways = headers.get("connection", "").lower()
    return "close" in ways or scope["http_version"] == "1.0"

"""Google Drive's REST interface, as a service account that may only read."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import google.auth.exceptions
import google.auth.transport
import httpx
from google.oauth2.service_account import Credentials

from image_search.bucket_addresses import BucketAddress
from image_search.bucket_errors import BucketError
from image_search.drive_errors import (
    AWAY,
    NO_ACCOUNT,
    NO_ENDPOINT,
    NO_KEYS,
    REFUSED,
    UNKNOWN,
    UNREADABLE_KEYS,
    WORD,
    answer_failure,
    failure,
    is_passing,
    word_of,
)

SCOPE = "https://www.googleapis.com/auth/drive.readonly"
ENDPOINT = "https://www.googleapis.com/drive/v3"
# Seconds before each further try of what may pass.
PAUSES = (0.5, 1.0, 2.0)
TIMEOUT = httpx.Timeout(30, connect=5)
UNAUTHORIZED = 401
# What httpx raises where nothing sensible comes back, or there is no such address.
UNREACHED = (httpx.RequestError, httpx.InvalidURL)
# Those of shared drives too.
EVERYWHERE = {"supportsAllDrives": "true"}
Parameters = Mapping[str, str]


class DriveApi:
    """Asks Google Drive; may be used by several threads at once.

    Every method raises BucketError, which says what is wrong and what to do.
    """

    def __init__(
        self,
        address: BucketAddress,
        credentials: Credentials,
        endpoint: str = ENDPOINT,
    ) -> None:
        self.address = address
        self.credentials = credentials
        self.endpoint = endpoint.rstrip("/")
        # Waits so many seconds.
        self.sleep: Callable[[float], None] = time.sleep
        self.client = httpx.Client(timeout=TIMEOUT, follow_redirects=True)
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        address: BucketAddress,
        variables: Mapping[str, str] = os.environ,
    ) -> "DriveApi":
        """By the key that GOOGLE_APPLICATION_CREDENTIALS names; asks nothing yet."""
        path = variables.get("GOOGLE_APPLICATION_CREDENTIALS", "")
        if not path:
            raise failure(address, NO_KEYS)
        try:
            make = Credentials.from_service_account_file
            found = make(path, scopes=[SCOPE])  # type: ignore[no-untyped-call]
        except OSError:
            raise failure(address, UNREADABLE_KEYS) from None
        except (ValueError, TypeError, AttributeError):
            # No JSON, JSON of something else, or no key in it.
            raise failure(address, NO_ACCOUNT) from None
        endpoint = variables.get("GOOGLE_DRIVE_ENDPOINT") or ENDPOINT
        if not endpoint.startswith(("http://", "https://")):
            raise failure(address, NO_ENDPOINT)
        return cls(address, found, endpoint)

    def get(self, path: str, parameters: Parameters) -> dict[str, Any]:
        """What is answered, decoded."""
        with self.send(path, parameters) as answer:
            try:
                answer.read()
                found = answer.json()
            except UNREACHED:
                raise failure(self.address, AWAY) from None
            except ValueError:
                found = None
        if not isinstance(found, dict):
            raise failure(self.address, UNKNOWN)
        return found

    @contextmanager
    def send(
        self,
        path: str,
        parameters: Parameters,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[httpx.Response]:
        """The answer once it is a good one; its body has not been read."""
        url, given = f"{self.endpoint}/{path}", {**EVERYWHERE, **parameters}
        try:
            request = self.client.build_request(
                "GET", url, params=given, headers=headers
            )
        except httpx.InvalidURL:
            raise failure(self.address, NO_ENDPOINT) from None
        answer = self._try(request)
        try:
            yield answer
        finally:
            answer.close()

    def _try(self, request: httpx.Request) -> httpx.Response:
        """Ask, and again where it may be otherwise a moment later."""
        tokens: set[str] = set()
        for pause in (*PAUSES, None):
            try:
                token = self._token()
                request.headers["Authorization"] = f"Bearer {token}"
                answer = self.client.send(request, stream=True)
                if answer.is_success:
                    return answer
                status, word = answer.status_code, word_of(_read(answer))
            except UNREACHED:
                error = failure(self.address, AWAY)
            else:
                error = self._failure(status, word)
                if status == UNAUTHORIZED and not tokens:
                    # It has ended before its time: another one, at once.
                    tokens.add(token)
                    self._drop(token)
                    continue
                if not is_passing(status, word):
                    raise error
            if pause is not None:
                self.sleep(pause)
        raise error

    def _failure(self, status: int, word: str) -> BucketError:
        email = self.credentials.service_account_email
        return answer_failure(self.address, status, word, email)

    def _token(self) -> str:
        with self._lock:
            if not self.credentials.valid:
                self._refresh()
            return str(self.credentials.token)

    def _drop(self, token: str) -> None:
        with self._lock:
            if self.credentials.token == token:
                self.credentials.token = None

    def _refresh(self) -> None:
        """Have the token be a new one; raises UNREACHED too.

        Where the server of tokens fails, google-auth has tried several times.
        """
        try:
            self.credentials.refresh(TokenRequest(self.client))  # type: ignore[no-untyped-call]
        except google.auth.exceptions.GoogleAuthError as error:
            if error.retryable:
                raise failure(self.address, AWAY) from None
            email = self.credentials.service_account_email
            raise failure(
                self.address, REFUSED, email, _token_word(error)
            ) from None


class TokenRequest(google.auth.transport.Request):
    """How google-auth asks for a token."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> "TokenResponse":
        """Raises UNREACHED, of which google-auth knows nothing."""
        answer = self.client.request(
            method,
            url,
            content=body,
            headers=headers,
            timeout=timeout or TIMEOUT,
        )
        return TokenResponse(answer)


class TokenResponse(google.auth.transport.Response):
    """What it is answered."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self.answer.headers

    @property
    def data(self) -> bytes:
        return self.answer.content


def _read(answer: httpx.Response) -> bytes:
    """What an error says."""
    try:
        return answer.read()
    finally:
        answer.close()


def _token_word(error: Exception) -> str:
    """Google's own word for why there is no token, such as invalid_grant."""
    details = error.args[1] if len(error.args) > 1 else None
    word = details.get("error") if isinstance(details, dict) else None
    is_word = isinstance(word, str) and WORD.fullmatch(word)
    return str(word) if is_word else type(error).__name__

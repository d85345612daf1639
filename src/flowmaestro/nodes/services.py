"""What the built-in nodes share: connections to the outside, made when they are first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from flowmaestro.nodes.errors import NodeError
from flowmaestro.nodes.outbound.allowed import PUBLIC_ONLY, AllowedNetworks
from flowmaestro.nodes.outbound.guard import Guard
from flowmaestro.nodes.outbound.resolver import Resolver, SystemResolver

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

DEFAULT_PROVIDER = "openai"


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenAI-compatible endpoint that ``ai_chat`` and ``router`` may use.

    :param base_url: where its API begins (``http://127.0.0.1:11434/v1``); ``None`` is OpenAI's own.
    :param api_key: its key. ``None`` for an endpoint that asks for none; OpenAI does.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """Bounds of the outgoing connections, and where those of ``http`` nodes may go."""

    max_connections: int = 1_000
    """More requests than this at once wait for a connection, within their own timeout."""
    max_idle_connections: int = 20
    """The pool asks the system about each of them at every request, 20 microseconds apiece."""
    traceparent_hosts: tuple[str, ...] = ()
    """Hosts that ``http`` nodes tell of the trace they are part of; ``*`` stands for anything."""
    use_environment: bool = True
    """Whether ``HTTP_PROXY``, ``HTTPS_PROXY``, ``NO_PROXY`` and ``SSL_CERT_FILE`` apply."""
    allowed_networks: AllowedNetworks = PUBLIC_ONLY
    """What ``http`` nodes may reach besides public addresses. Providers are the operator's: their
    addresses are not looked at."""
    resolve: Resolver | None = None
    """How ``http`` nodes look names up; ``None``: as the machine does."""


class Services:
    """The clients that nodes use, one for plain HTTP and one for each provider.

    :param providers: by the name that definitions give; ``openai`` is the one they get by default.
    """

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider] | None = None,
        http: HttpOptions | None = None,
    ) -> None:
        self._providers = dict(providers or {})
        self._options = http or HttpOptions()
        self._http: httpx2.AsyncClient | None = None
        self._resolver: SystemResolver | None = None
        self._chat: dict[str, AsyncOpenAI] = {}
        # Importing a client's library and reading certificates takes up to a second: a thread
        # does it, so that the streams do not stop for as long, and only one.
        self._making = asyncio.Lock()

    async def http_client(self) -> httpx2.AsyncClient:
        """Return the client of ``http`` nodes: no cookies, no redirects, no timeout of its own."""
        async with self._making:
            if self._http is None:
                self._http = await asyncio.to_thread(self._make_http_client)
            return self._http

    async def chat_client(self, name: str | None) -> AsyncOpenAI:
        """Return the client of the provider *name* (``None``: the default one).

        :raises NodeError: ``unknown_provider``, ``missing_api_key``, or ``missing_dependency`` if
            the ``openai`` package is not installed; another attempt would not help.
        """
        name = name or DEFAULT_PROVIDER
        async with self._making:
            if name not in self._chat:
                provider = self._provider(name)
                client = await asyncio.to_thread(self._make_chat_client, name, provider)
                self._chat[name] = client
            return self._chat[name]

    def may_be_told_of_traces(self, host: str) -> bool:
        """Return whether requests to *host* get a ``traceparent`` header."""
        return any(fnmatchcase(host.lower(), name) for name in self._options.traceparent_hosts)

    async def aclose(self) -> None:
        """Close every connection. Requests that are under way fail."""
        chat, self._chat = self._chat, {}
        http, self._http = self._http, None
        for client in chat.values():
            await client.close()
        if http is not None:
            await http.aclose()
        if self._resolver is not None:
            self._resolver.close()

    def _provider(self, name: str) -> Provider:
        try:
            return self._providers[name]
        except KeyError:
            known = ", ".join(map(repr, self._providers)) or "none"
            raise NodeError(
                f"there is no provider {name!r} in the server's settings (configured: {known})",
                code="unknown_provider",
                retryable=False,
            ) from None

    def _make_http_client(self) -> httpx2.AsyncClient:
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        import httpx2

        from flowmaestro.nodes.outbound.transport import GuardedTransport

        options = self._options
        resolve = options.resolve
        if resolve is None:
            resolve = self._resolver = SystemResolver()
        return httpx2.AsyncClient(
            # One client serves all workspaces: a cookie that one execution was given must not
            # travel with another's requests.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"User-Agent": "flowmaestro"},
            follow_redirects=False,
            timeout=None,  # each node bounds its whole request
            transport=GuardedTransport(
                Guard(options.allowed_networks, resolve),
                limits=self._limits(),
                use_environment=options.use_environment,
            ),
        )

    def _make_chat_client(self, name: str, provider: Provider) -> AsyncOpenAI:
        if provider.api_key is None and provider.base_url is None:
            setting = " (set OPENAI_API_KEY)" if name == DEFAULT_PROVIDER else ""
            raise NodeError(
                f"the provider {name!r} has no API key in the server's settings{setting}",
                code="missing_api_key",
                retryable=False,
            )
        try:
            import httpx2
            from openai import AsyncOpenAI
        except ImportError as error:
            raise NodeError(
                "the nodes that ask a model need `pip install 'flowmaestro[ai]'`",
                code="missing_dependency",
                retryable=False,
            ) from error
        client = AsyncOpenAI(
            # The client insists on a key, also for an endpoint that asks for none.
            api_key=provider.api_key or "none",
            base_url=provider.base_url or "https://api.openai.com/v1",
            max_retries=0,  # the workflow's retry policy decides, and shows its attempts
            http_client=httpx2.AsyncClient(
                limits=self._limits(), trust_env=self._options.use_environment
            ),
        )
        if name != DEFAULT_PROVIDER:
            # From the environment, of an account at OpenAI: no other provider is to be told.
            client.organization = client.project = None
            client._custom_headers = {}  # no argument of the client's keeps it from reading them
        return client

    def _limits(self) -> httpx2.Limits:
        import httpx2

        return httpx2.Limits(
            max_connections=self._options.max_connections,
            max_keepalive_connections=self._options.max_idle_connections,
        )

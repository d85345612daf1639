"""The page that shows an execution, as a person uses it."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Locator, Page, expect

# What the page's Content-Security-Policy keeps it from doing is a fault of the page's.
_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) =>
  console.error(`policy violation: ${violatedDirective} ${blockedURI} ${sample}`));
"""


# A browser shares a few cores with its server and its tests.
expect.set_options(timeout=20_000)


class ExecutionPage:
    """A tab with the page in it."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self.base_url = base_url
        self.violations: list[str] = []
        page.on("console", lambda message: self._note(message.text))

    def _note(self, text: str) -> None:
        if text.startswith("policy violation"):
            self.violations.append(text)

    async def open(self, path: str) -> None:
        await self.page.add_init_script(_REPORT_VIOLATIONS)
        await self.page.goto(self.base_url + path)

    async def sign_in(self, key: str) -> None:
        await self.page.get_by_label("API key", exact=True).fill(key)
        await self.page.get_by_role("button", name="Sign in").click()

    async def open_execution(self, execution_id: str, key: str) -> None:
        """Open an execution in this tab, with a key."""
        await self.open(f"/executions/{execution_id}")
        await self.sign_in(key)

    def node(self, node_id: str) -> Locator:
        """The node's box in the graph."""
        return self.page.locator(f'[data-node="{node_id}"]')

    async def expect_node(self, node_id: str, status: str) -> None:
        """Wait until the graph shows a node in a *status*."""
        await expect(self.page.locator(f'[data-node="{node_id}"].is-{status}')).to_be_visible()

    async def expect_status(self, word: str) -> None:
        """Wait until the page says how the execution stands."""
        await expect(self.page.locator(".execution-header .pill")).to_have_text(word)

    async def expect_text(self, text: str) -> None:
        await expect(self.page.get_by_text(text).first).to_be_visible()

    async def show_events(self) -> None:
        await self.page.get_by_role("tab", name="Events").click()

    async def event_numbers(self) -> list[int]:
        """The numbers of the events that the list shows, in the list's order."""
        rows: list[Any] = await self.page.locator("[data-event]").evaluate_all(
            "rows => rows.map(row => Number(row.dataset.event))"
        )
        return rows

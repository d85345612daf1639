"""The page that shows an execution, in a real Chromium."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from flowmaestro.api.keys import BUNDLES
from flowmaestro.api.tickets import sign_ticket
from flowmaestro.api.web import WEB_FOLDER
from tests.support import page_scenarios as scenarios
from tests.support.api import create, execute, finish
from tests.support.execution_page import ExecutionPage
from tests.support.page_nodes import open_gate
from tests.support.server import LiveServer, create_key, free_port, live_server, server_process

MARKUP = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path, built_page: None) -> AsyncIterator[LiveServer]:
    """A server with the page, and with nodes that wait for a test's word."""
    async with live_server(tmp_path, nodes=scenarios.NODES, key_recheck_seconds=0.1) as live:
        yield live


@pytest_asyncio.fixture(loop_scope="session")
async def tab(page: Page, server: LiveServer) -> AsyncIterator[ExecutionPage]:
    opened = ExecutionPage(page, server.base_url)
    yield opened
    assert opened.violations == []


def gated(**nodes: Any) -> dict[str, Any]:
    """A workflow that waits at the node ``gate`` until `open_gate("go")`, and then goes on through
    *nodes*, one after the other."""
    ids = ["gate", *nodes]
    return {
        "name": "Gated",
        "nodes": {"gate": {"type": "gate", "config": {"name": "{{ gate_name }}"}}, **nodes},
        "edges": [
            {"source": source, "target": target} for source, target in itertools.pairwise(ids)
        ],
    }


async def start(client: httpx2.AsyncClient, definition: dict[str, Any], gate: str = "") -> str:
    return await execute(client, await create(client, definition), gate_name=gate)


async def ticket_for(client: httpx2.AsyncClient, execution_id: str) -> str:
    response = await client.post(f"/api/v1/executions/{execution_id}/tickets")
    return str(response.json()["data"]["ticket"])


async def test_it_follows_a_live_execution_whose_nodes_retry_and_fail(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    retry = {"max_attempts": 2, "initial_delay_ms": 400}
    nodes = {
        "flaky": {"type": "fetch", "config": {"failures": 1}, "retry": retry},
        "broken": {"type": "fetch", "name": "Send it", "config": {"failures": 9, "error": "no!"}},
        "never": {"type": "fetch", "config": {}},
    }
    execution_id = await start(client, gated(**nodes), "follow")
    await tab.open_execution(execution_id, server.key)
    await tab.expect_node("gate", "running")
    await tab.expect_node("never", "pending")
    await tab.expect_status("Running")
    assert await tab.page.title() == "Running · Gated"

    open_gate("follow")
    await tab.expect_node("flaky", "retrying")
    await tab.expect_node("flaky", "completed")
    await expect(tab.node("flaky")).to_contain_text("attempt 2")
    await tab.expect_node("broken", "failed")
    await tab.expect_status("Failed")
    await expect(tab.page.locator(".notice.is-bad")).to_have_text("Send it failed: no!")
    await tab.expect_node("never", "pending")

    await tab.page.get_by_role("button", name="Send it").click()
    await expect(tab.page.locator(".details .error-box")).to_contain_text("http_status")


async def test_every_event_is_listed_once_and_found_by_its_words(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await start(client, gated(after={"type": "fetch", "config": {}}), "events")
    await tab.open_execution(execution_id, server.key)
    await tab.show_events()
    await expect(tab.page.locator("[data-event]")).to_have_count(2)
    await tab.page.get_by_role("button", name="Pause").click()
    open_gate("events")
    await expect(tab.page.locator(".events-tools [role=status]")).to_contain_text("more")
    await expect(tab.page.locator("[data-event]")).to_have_count(2)
    await tab.page.get_by_role("button", name="Resume").click()
    await tab.expect_status("Completed")
    numbers = await tab.event_numbers()
    assert numbers == list(range(numbers[0], numbers[-1] + 1))

    await tab.page.get_by_label("Search the events").fill("fetched everything")
    await expect(tab.page.locator("[data-event]")).to_have_count(1)
    await tab.page.locator("[data-event]").click()
    await expect(tab.page.locator(".details h2")).to_have_text("node:log")
    await tab.page.get_by_label("Search the events").fill("no such words")
    await tab.expect_text("No event holds these words.")


async def test_cancel_ends_it_with_the_reason_given(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await start(client, gated(), "never opened")
    await tab.open_execution(execution_id, server.key)
    await tab.page.get_by_role("button", name="Cancel").click()
    await tab.page.get_by_label("Reason").fill("not needed any more")
    await tab.page.get_by_role("button", name="Cancel the execution").click()
    await tab.expect_status("Cancelled")
    await tab.expect_text("not needed any more")
    await tab.expect_node("gate", "stopped")
    assert (await finish(client, execution_id))["status"] == "cancelled"


async def test_a_key_that_may_not_cancel_is_told_what_it_lacks(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await start(client, gated(), "read-only")
    await tab.open_execution(execution_id, await server.new_key(scopes=BUNDLES["read-only"]))
    await tab.page.get_by_role("button", name="Cancel").click()
    await tab.page.get_by_role("button", name="Cancel the execution").click()
    await expect(tab.page.get_by_role("alert")).to_contain_text("executions:cancel")
    await tab.page.get_by_role("button", name="Keep it running").click()
    open_gate("read-only")
    await tab.expect_status("Completed")


async def test_what_a_node_puts_out_is_text(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    definition = gated(
        out={
            "type": "fetch",
            "name": MARKUP[:100],
            "config": {"value": {MARKUP: MARKUP, "large": "x" * 990_000}},
        }
    )
    execution_id = await start(client, definition, "markup")
    open_gate("markup")
    await tab.open_execution(execution_id, server.key)
    await tab.expect_status("Completed")
    await tab.node("out").click()
    await expect(tab.page.locator(".details .json")).to_contain_text(MARKUP)
    await tab.page.get_by_role("button", name="show 990.0 kB").click()
    await tab.show_events()
    await tab.page.get_by_label("Search the events").fill("hacked")
    await expect(tab.page.locator("[data-event]").first).to_be_visible()
    assert await tab.page.evaluate("window.hacked") is None
    assert await tab.page.locator("#root img, #root script").count() == 0


async def test_two_tabs_each_show_all_of_it(
    tab: ExecutionPage, context: BrowserContext, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await start(client, gated(after={"type": "fetch", "config": {}}), "tabs")
    other = ExecutionPage(await context.new_page(), server.base_url)
    await tab.open_execution(execution_id, server.key)
    # The key is the first tab's alone.
    await other.open_execution(execution_id, server.key)
    for each in (tab, other):
        await each.expect_node("gate", "running")
    open_gate("tabs")
    for each in (tab, other):
        await each.expect_status("Completed")
        await each.expect_node("after", "completed")


async def test_the_key_stays_in_the_tab(
    tab: ExecutionPage, context: BrowserContext, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    addresses: list[str] = []
    context.on("request", lambda request: addresses.append(request.url))
    execution_id = await start(client, gated(), "key")
    await tab.open(f"/executions/{execution_id}")
    await tab.sign_in("fm_test_wrong")
    await expect(tab.page.get_by_role("alert")).to_have_text(
        "The server does not know this API key."
    )
    await tab.sign_in(server.key)
    await tab.expect_node("gate", "running")
    await tab.page.reload()
    await tab.expect_node("gate", "running")
    assert not any(server.key in address for address in addresses)
    kept = await tab.page.evaluate("[JSON.stringify(localStorage), document.cookie]")
    assert kept == ["{}", ""]
    await tab.page.get_by_role("link", name="FlowMaestro").click()
    await tab.page.get_by_role("button", name="Sign out").click()
    await expect(tab.page.get_by_label("API key", exact=True)).to_be_visible()


async def test_a_link_opens_one_execution_and_leaves_no_ticket_in_the_address(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await start(client, gated(after={"type": "fetch", "config": {}}), "link")
    ticket = await ticket_for(client, execution_id)
    await tab.open(f"/executions/{execution_id}#ticket={ticket}")
    await tab.expect_node("gate", "running")
    assert tab.page.url == f"{server.base_url}/executions/{execution_id}"
    await expect(tab.node("after")).to_have_count(0)  # only what the events say is known
    await tab.page.get_by_role("button", name="Cancel").click()
    await expect(tab.page.get_by_role("dialog")).to_contain_text("executions:cancel")
    await tab.page.get_by_role("button", name="Close").click()
    await tab.page.reload()
    await tab.expect_node("gate", "running")
    open_gate("link")
    await tab.expect_node("after", "completed")
    await tab.expect_status("Completed")


async def test_an_expired_link_says_so_and_a_key_goes_on(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await start(client, gated(), "expired")
    key = await server.parts.storage.keys.find_with_hash(
        (await ticket_for(client, execution_id)).split(".")[1]
    )
    assert key is not None
    expired = sign_ticket(
        key_id=key.key.id,
        key_hash=key.key_hash,
        execution_id=execution_id,
        expires_at=datetime.now(UTC) - timedelta(seconds=1),
    )
    await tab.open(f"/executions/{execution_id}#ticket={expired}")
    await tab.expect_text("This link has expired")
    await tab.sign_in(server.key)
    await tab.expect_node("gate", "running")


async def test_a_new_link_goes_on_in_the_same_tab(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await start(client, gated(), "new link")
    await tab.open(f"/executions/{execution_id}#ticket=fm_ticket_v1.none")
    await tab.expect_text("This link opens nothing")
    ticket = await ticket_for(client, execution_id)
    await tab.page.evaluate("fragment => { location.hash = fragment }", f"ticket={ticket}")
    await tab.expect_node("gate", "running")
    assert tab.page.url == f"{server.base_url}/executions/{execution_id}"


async def test_a_revoked_key_is_told_and_another_goes_on_from_the_cursor(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await start(client, gated(after={"type": "fetch", "config": {}}), "revoked")
    key, stored = await create_key(server.parts.storage)
    await tab.open_execution(execution_id, key)
    await tab.expect_node("gate", "running")
    await server.parts.storage.keys.revoke(stored.id)
    await tab.expect_text("This API key has been revoked.")
    await tab.expect_node("gate", "running")  # what has come stays
    await tab.sign_in(server.key)
    open_gate("revoked")
    await tab.expect_status("Completed")
    await tab.show_events()
    numbers = await tab.event_numbers()
    assert numbers == list(range(1, len(numbers) + 1))


async def test_an_execution_that_does_not_exist_is_not_found(
    tab: ExecutionPage, server: LiveServer
) -> None:
    await tab.open_execution("exec_none", server.key)
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text("Not found")
    await tab.page.get_by_role("link", name="Go to the executions").click()
    await tab.expect_text("Nothing has run yet.")


async def test_a_server_that_was_away_is_taken_up_where_it_was_left(
    page: Page, tmp_path: Path, built_page: None
) -> None:
    settings = {"FLOWMAESTRO_PORT": str(free_port())}
    nap = {"type": "wait", "config": {"duration_ms": 1_500}}
    with server_process(tmp_path, settings) as process:
        key = await process.new_key()
        headers = {"X-API-Key": key}
        async with httpx2.AsyncClient(base_url=process.base_url, headers=headers) as client:
            edges = [{"source": "a", "target": "b"}]
            definition = {"name": "Naps", "nodes": {"a": nap, "b": nap}, "edges": edges}
            execution_id = await execute(client, await create(client, definition))
        tab = ExecutionPage(page, process.base_url)
        await tab.open_execution(execution_id, key)
        await tab.expect_node("a", "running")
        process.kill()
        await expect(page.locator("[data-connection=reconnecting]")).to_be_visible()
        await tab.expect_text("The server cannot be reached.")
        process.start()
        await tab.expect_status("Completed")
        await expect(page.locator("[data-connection]")).to_have_count(0)
        await tab.expect_node("b", "completed")
        await tab.show_events()
        numbers = await tab.event_numbers()
        assert numbers == list(range(1, len(numbers) + 1))


async def test_the_scrubber_shows_any_moment_and_plays_it_again(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    definition = gated(after={"type": "fetch", "config": {"duration_ms": 400}})
    execution_id = await start(client, definition, "scrubber")
    open_gate("scrubber")
    await finish(client, execution_id)
    await tab.open_execution(execution_id, server.key)
    slider = tab.page.get_by_role("slider", name="Events shown")
    await slider.focus()
    await tab.page.keyboard.press("Home")
    await tab.expect_node("gate", "pending")
    for _ in range(2):
        await tab.page.keyboard.press("ArrowRight")
    await tab.expect_node("gate", "running")
    await tab.expect_node("after", "pending")
    await expect(slider).to_have_value("2")
    await tab.expect_status("Running")
    await tab.page.keyboard.press("End")
    await tab.expect_status("Completed")
    await tab.page.get_by_role("button", name="Replay").click()
    await tab.expect_node("after", "running")
    await tab.expect_status("Completed")
    await tab.expect_node("after", "completed")


async def test_a_loop_counts_what_is_inside_and_unfolds(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await start(client, scenarios.feedback(pace_ms=5))
    await tab.open_execution(execution_id, server.key)
    await tab.expect_status("Completed")
    await expect(tab.node("each")).to_contain_text("×6 12/12")
    await tab.expect_node("archive", "skipped")
    timeline = tab.page.get_by_role("listbox", name="Timeline of the steps")
    await expect(timeline.get_by_text("[5].judge")).to_have_count(0)
    await timeline.get_by_role("button", name="Unfold").click()
    await expect(timeline.get_by_text("[0].judge")).to_be_visible()


async def test_it_is_used_with_the_keyboard_alone(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await start(client, gated(after={"type": "fetch", "config": {}}), "keyboard")
    open_gate("keyboard")
    await tab.open_execution(execution_id, server.key)
    await tab.expect_status("Completed")
    await tab.page.locator(".react-flow__node[data-id=after]").focus()
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator(".details h2")).to_have_text("after")
    await tab.page.get_by_role("tab", name="Timeline").focus()
    await tab.page.keyboard.press("ArrowRight")
    await expect(tab.page.get_by_role("tab", name="Events")).to_be_focused()
    await tab.page.get_by_role("listbox", name="Events").focus()
    await tab.page.keyboard.press("Home")
    await expect(tab.page.locator(".details h2")).to_have_text("execution:started")
    await tab.page.keyboard.press("ArrowDown")
    await expect(tab.page.locator(".details h2")).to_have_text("node:started")


async def test_a_workflow_that_was_changed_since_shows_what_ran(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    workflow_id = await create(client, gated())
    execution_id = await execute(client, workflow_id, gate_name="changed")
    open_gate("changed")
    await finish(client, execution_id)
    definition = gated(other={"type": "fetch", "config": {}})
    await client.put(f"/api/v1/workflows/{workflow_id}", json=definition)
    await tab.open_execution(execution_id, server.key)
    await tab.expect_text("The workflow was changed after this execution began")
    await tab.expect_node("gate", "completed")
    await expect(tab.node("other")).to_have_count(0)


async def test_the_list_leads_to_executions_and_narrows_to_a_workflow(
    tab: ExecutionPage, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    open_gate("list")
    first = await start(client, {**gated(), "name": "First", "id": "first"}, "list")
    second = await start(client, {**gated(), "name": "Second", "id": "second"}, "list")
    await finish(client, second)
    await tab.open("/")
    await tab.sign_in(server.key)
    rows = tab.page.get_by_role("region", name="Executions").get_by_role("listitem")
    await expect(rows).to_have_count(2)
    await tab.page.get_by_role("region", name="Workflows").get_by_role("link", name="First").click()
    await expect(rows).to_have_count(1)
    await rows.first.click()
    assert tab.page.url == f"{server.base_url}/executions/{first}"
    await tab.expect_node("gate", "completed")
    await tab.page.go_back()
    await expect(rows).to_have_count(1)


async def test_what_it_costs(
    tab: ExecutionPage,
    server: LiveServer,
    client: httpx2.AsyncClient,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Prints figures; none is asserted."""
    fifty = await start(client, scenarios.layered(10, 5))
    many = await start(client, scenarios.layered(25, 20))
    await finish(client, fifty)
    await finish(client, many)
    await tab.page.add_init_script(_TIME_FIRST_VIEW)
    await tab.open("/")
    await tab.sign_in(server.key)
    await tab.expect_text("10 times 5")
    figures = {}
    for name, execution_id in (("50 nodes", fifty), ("500 nodes", many)):
        await tab.page.goto(f"{server.base_url}/executions/{execution_id}")
        viewed = await tab.page.wait_for_selector("html[data-viewed-ms]")
        assert viewed is not None
        figures[f"first view, {name}"] = f"{await viewed.get_attribute('data-viewed-ms')} ms"
    await tab.page.get_by_role("button", name="All").click()
    await expect(tab.page.locator("[data-node].is-completed")).to_have_count(500)
    figures["replay of 500 nodes"] = await tab.page.evaluate(_FRAMES)

    definition = gated(**{f"n{index}": {"type": "fetch", "config": {}} for index in range(20)})
    execution_id = await start(client, definition, "costs")
    await tab.page.goto(f"{server.base_url}/executions/{execution_id}")
    await tab.expect_node("gate", "running")
    await tab.show_events()
    await tab.page.evaluate(_WATCH_ROWS)
    open_gate("costs")
    await tab.expect_status("Completed")
    delays = sorted(await tab.page.evaluate("window.delays"))
    figures["event on screen after it was written"] = (
        f"median {delays[len(delays) // 2]} ms, at most {delays[-1]} ms"
    )
    compressed = sum(file.stat().st_size for file in WEB_FOLDER.glob("assets/*.gz"))
    figures["what a browser loads, compressed"] = f"{compressed / 1000:.0f} kB"
    with capsys.disabled():
        print("\npage:", json.dumps(figures, indent=2))


# From the beginning of the navigation to a frame with the whole execution in the graph.
_TIME_FIRST_VIEW = """
const look = () => {
  const isViewed = document.querySelector(".scrubber")
    && document.querySelector("[data-node].is-completed");
  if (isViewed) document.documentElement.dataset.viewedMs = Math.round(performance.now());
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""

# From an event's own time to the moment that its row is in the document; both are this machine's.
_WATCH_ROWS = """() => {
  window.delays = [];
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) {
        const time = node.querySelector?.("[data-event] time");
        if (time) window.delays.push(Date.now() - Date.parse(time.dateTime));
      }
    }
  }).observe(document.querySelector(".events"), { childList: true, subtree: true });
}"""

_FRAMES = """async () => {
  document.querySelector(".play").click();
  const frames = [];
  let before = performance.now();
  while (frames.length < 90) {
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - before);
    before = now;
  }
  frames.sort((a, b) => a - b);
  return `frames of ${frames[45].toFixed(0)} ms, 95 % under ${frames[85].toFixed(0)} ms`;
}"""

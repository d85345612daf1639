// @vitest-environment happy-dom

import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, test } from "vitest";
import { describe as describeEvent, matches } from "../src/run/describe.js";
import { placed, ticks } from "../src/run/timeline.js";
import { formatAgo, formatDuration, formatOffset, formatSize } from "../src/ui/format.js";
import { JsonTree } from "../src/ui/json-tree.js";
import { Log } from "./events.js";

afterEach(cleanup);

describe("JSON", () => {
  test("is text, whatever it holds", () => {
    const text = "</script><img src=x onerror=alert(1)>";
    const { container } = render(<JsonTree label="Outputs" value={{ [text]: text }} />);
    expect(container.querySelector("script, img")).toBeNull();
    expect(container.textContent).toContain(text);
  });

  test("unfolds level by level", () => {
    render(<JsonTree label="Outputs" value={{ a: { b: { c: "deep" } } }} />);
    expect(screen.queryByText('"deep"')).toBeNull();
    fireEvent.click(screen.getByRole("button", { name: "1 field, unfold" }));
    expect(screen.getByText('"deep"')).toBeDefined();
  });

  test("shows a part of a long list and of a long text, and more when asked", () => {
    const value = { list: [], text: "x".repeat(1_000_000), many: Array(250).fill(4_242) };
    const { container } = render(<JsonTree label="Outputs" value={value} />);
    expect(container.textContent?.length).toBeLessThan(1_000);
    fireEvent.click(screen.getByRole("button", { name: "show 1.0 MB" }));
    expect(container.textContent?.length).toBeGreaterThan(200_000);
    fireEvent.click(screen.getByRole("button", { name: "250 items, unfold" }));
    expect(screen.getAllByText("4242")).toHaveLength(100);
    fireEvent.click(screen.getByRole("button", { name: "100 more of 250" }));
    expect(screen.getAllByText("4242")).toHaveLength(200);
  });
});

test("an event is found by its type, its step, and words of its data", () => {
  const [event] = new Log().nodeCompleted("fetch", { outputs: { city: "Zürich" } }).events;
  for (const words of ["node:completed", "fetch", "zürich"]) {
    expect(event && matches(event, words)).toBe(true);
  }
  expect(event && matches(event, "bern")).toBe(false);
});

test.each([
  [new Log().started(7), "Test, 7 steps"],
  [new Log().nodeStarted("a", { attempt: 2 }), "attempt 2"],
  [new Log().nodeCompleted("a", { handle: "true", duration_ms: 1_200 }), "in 1.2 s → true"],
  [new Log().nodeRetrying("a"), "attempt 2 in 1.0 s: 503"],
  [new Log().nodeFailed("a"), "it broke"],
  [new Log().add("node:log", { node_id: "a", level: "info", message: "hi" }), "hi"],
  [new Log().add("node:delta", { text: "later" }), ""],
])("an event is told in few words", (log, words) => {
  expect(log.events[0] && describeEvent(log.events[0])).toBe(words);
});

test("durations, offsets and sizes are short", () => {
  const durations = [0, 999, 1_000, 59_949, 59_950, 65_000, 3_600_000, 90_000_000];
  expect(durations.map(formatDuration)).toEqual([
    "0 ms",
    "999 ms",
    "1.0 s",
    "59.9 s",
    "1 m 00 s",
    "1 m 05 s",
    "1 h 00 m",
    "1 d 01 h",
  ]);
  expect([412, 12_000].map(formatOffset)).toEqual(["+0.412 s", "+12.0 s"]);
  expect([812, 1_250, 1_000_000].map(formatSize)).toEqual(["812 B", "1.3 kB", "1.0 MB"]);
  expect(formatAgo(0, 30_000)).toBe("just now");
  expect(formatAgo(0, 4 * 60_000)).toMatch(/^4 min/);
});

test("the timeline is marked at round times, and bars stay on it", () => {
  expect(ticks(2_600, 6)).toEqual([0, 500, 1_000, 1_500, 2_000, 2_500]);
  expect(ticks(50, 6)).toEqual([0, 10, 20, 30, 40, 50]);
  expect(placed(150, 200, 100, 200)).toEqual({ left: 25, width: 25 });
  expect(placed(50, 900, 100, 200)).toEqual({ left: 0, width: 100 });
});

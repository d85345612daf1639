import "./dom.js";
import { act, cleanup, render, renderHook, waitFor } from "@testing-library/react";
import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { afterEach, describe, expect } from "vitest";
import { type FlowMaestroClient, ResourceNotFound, type StreamEvent } from "../../src/index.js";
import { type ExecutionSnapshot, useExecution } from "../../src/react/index.js";
import {
  clientOf,
  EXECUTION_ID,
  OPEN_ENDED,
  resuming,
  test,
  whole,
} from "../integration/fixtures.js";
import { NUMBERS } from "../support/recorded-events.js";
import { failure, first } from "../support/scripted-server.js";

afterEach(cleanup);

function Shown({ client }: { client: FlowMaestroClient }) {
  return <p>{useExecution(EXECUTION_ID, { client }).connection}</p>;
}

test("an execution from its start to its end", async ({ serve }) => {
  const client = clientOf(await serve(resuming));
  const { result } = renderHook(() => useExecution(EXECUTION_ID, { client }));
  expect(result.current).toMatchObject({ status: null, progress: 0, connection: "connecting" });
  await waitFor(() => expect(result.current.connection).toBe("ended"));
  expect(result.current).toMatchObject({
    status: "completed",
    progress: 100,
    outputs: {},
    error: null,
    streamError: null,
    lastEventId: NUMBERS.length,
  });
  expect([...result.current.nodes.keys()]).toEqual(["greet"]);
  expect(result.current.nodes.get("greet")).toMatchObject({
    status: "completed",
    outputs: { text: "Grüße, 世界 🎉" },
  });
});

test("what nodes are shown by is asked for", async ({ serve }) => {
  const server = await serve(resuming);
  const client = clientOf(server);
  const { result } = renderHook(() => useExecution(EXECUTION_ID, { client }));
  await waitFor(() => expect(result.current.connection).toBe("ended"));
  expect(server.requests[0]?.query).toEqual({ include: "node:retrying,node:skipped" });
});

describe("unmounting", () => {
  test("frees the connection", async ({ serve }) => {
    const server = await serve(OPEN_ENDED);
    const client = clientOf(server);
    const { result, unmount } = renderHook(() => useExecution(EXECUTION_ID, { client }));
    await waitFor(() => expect(result.current.lastEventId).toBe(2));
    expect(result.current).toMatchObject({ status: "running", connection: "open" });
    unmount();
    await server.until(() => server.openConnections === 0);
  });

  test("ends a wait to reconnect", async ({ serve }) => {
    const server = await serve(failure(503, "x", { headers: { "Retry-After": "100" } }));
    const client = clientOf(server);
    const { result, unmount } = renderHook(() => useExecution(EXECUTION_ID, { client }));
    await waitFor(() => expect(result.current.connection).toBe("reconnecting"));
    unmount(); // a timer that is left would keep the tests from ending
  });
});

describe("StrictMode", () => {
  test("gives each event once", async ({ serve }) => {
    const client = clientOf(await serve(resuming));
    const numbers: number[] = [];
    const onEvent = ({ number }: StreamEvent) => numbers.push(number);
    const { result } = renderHook(() => useExecution(EXECUTION_ID, { client, onEvent }), {
      wrapper: StrictMode,
    });
    await waitFor(() => expect(result.current.connection).toBe("ended"));
    expect(numbers).toEqual(NUMBERS);
    expect(result.current.status).toBe("completed");
  });

  test("leaves one connection, and none at the end", async ({ serve }) => {
    const server = await serve(OPEN_ENDED);
    const client = clientOf(server);
    const { result, unmount } = renderHook(() => useExecution(EXECUTION_ID, { client }), {
      wrapper: StrictMode,
    });
    await waitFor(() => expect(result.current.lastEventId).toBe(2));
    await server.until(() => server.openConnections === 1);
    unmount();
    await server.until(() => server.openConnections === 0);
  });
});

describe("a connection that breaks", () => {
  test("is shown, and opened again", async ({ serve }) => {
    const states: string[] = [];
    const cut = whole().cut(whole().data.length - 100);
    const client = clientOf(await serve(first(cut, resuming)), {
      backoff: { baseMs: 100, maxMs: 100 },
    });
    const { result } = renderHook(() => {
      const execution = useExecution(EXECUTION_ID, { client });
      if (states.at(-1) !== execution.connection) states.push(execution.connection);
      return execution;
    });
    await waitFor(() => expect(result.current.connection).toBe("ended"));
    expect(states[0]).toBe("connecting");
    expect(states).toContain("reconnecting");
  });

  test("for good has its error, and a way on", async ({ serve }) => {
    const server = await serve(first(failure(404, "resource_not_found"), resuming));
    const client = clientOf(server);
    const { result } = renderHook(() => useExecution(EXECUTION_ID, { client }));
    await waitFor(() => expect(result.current.connection).toBe("failed"));
    expect(result.current.streamError).toBeInstanceOf(ResourceNotFound);
    act(() => result.current.reconnect());
    await waitFor(() => expect(result.current.connection).toBe("ended"));
    expect(result.current).toMatchObject({ streamError: null, status: "completed" });
  });

  test("may be an option that cannot be used", async ({ serve }) => {
    const client = clientOf(await serve(resuming));
    const { result } = renderHook(() => useExecution("..", { client }));
    await waitFor(() => expect(result.current.connection).toBe("failed"));
    expect(result.current.streamError?.message).toContain("no id");
  });
});

describe("which execution", () => {
  test("may be none yet", async ({ serve }) => {
    const client = clientOf(await serve(resuming));
    const { result, rerender } = renderHook(
      ({ id }: { id: string | null }) => useExecution(id, { client }),
      { initialProps: { id: null as string | null } },
    );
    expect(result.current.connection).toBe("idle");
    rerender({ id: EXECUTION_ID });
    await waitFor(() => expect(result.current.status).toBe("completed"));
    rerender({ id: null });
    expect(result.current).toMatchObject({ connection: "idle", status: null });
  });

  test("may change, which begins anew", async ({ serve }) => {
    const server = await serve(resuming);
    const client = clientOf(server);
    const { result, rerender } = renderHook(({ id }) => useExecution(id, { client }), {
      initialProps: { id: EXECUTION_ID },
    });
    await waitFor(() => expect(result.current.connection).toBe("ended"));
    rerender({ id: "exec_other" });
    expect(result.current).toMatchObject({ status: null, lastEventId: 0 });
    await waitFor(() => expect(result.current.connection).toBe("ended"));
    expect(server.requests.map(({ path }) => path)).toEqual([
      "/api/v1/executions/exec_01jx/events",
      "/api/v1/executions/exec_other/events",
    ]);
  });
});

test("a snapshot is the same object until something changes", async ({ serve }) => {
  const client = clientOf(await serve(resuming));
  const { result, rerender } = renderHook(() =>
    // What is written anew at each rendering must not begin anew.
    useExecution(EXECUTION_ID, { client, include: ["node:log"], onEvent: () => {} }),
  );
  await waitFor(() => expect(result.current.connection).toBe("ended"));
  const before: ExecutionSnapshot = result.current;
  rerender();
  expect(result.current).toBe(before);
});

test("the events of one chunk are few renderings", async ({ serve }) => {
  const client = clientOf(await serve(resuming));
  let renderings = 0;
  const { result } = renderHook(() => {
    renderings += 1;
    return useExecution(EXECUTION_ID, { client });
  });
  await waitFor(() => expect(result.current.connection).toBe("ended"));
  expect(renderings).toBeLessThanOrEqual(1 + NUMBERS.length);
});

test("components that show the same execution have a stream each, and end alike", async ({
  serve,
}) => {
  const client = clientOf(await serve(resuming));
  const { container } = render(
    <>
      <Shown client={client} />
      <Shown client={client} />
    </>,
  );
  await waitFor(() => expect(container.textContent).toBe("endedended"));
});

test("on a server nothing is followed", async ({ serve }) => {
  const server = await serve(resuming);
  const client = clientOf(server);
  expect(renderToString(<Shown client={client} />)).toBe("<p>idle</p>");
  expect(server.requests).toEqual([]);
});

import type { FlowMaestroClient, StreamEvent, StreamOptions } from "@flowmaestro/sdk";
import { CursorExpired, RevokedAPIKey } from "@flowmaestro/sdk";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Player } from "../src/recording/player.js";
import { Log } from "./events.js";

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"],
  });
});
afterEach(() => {
  vi.useRealTimers();
});

const LOG = new Log()
  .started()
  .nodeStarted("a")
  .after(400)
  .nodeCompleted("a")
  .nodeStarted("b")
  .after(600)
  .nodeCompleted("b")
  .completed().events;

type Answer = (options: StreamOptions) => AsyncIterable<StreamEvent>;

/** A client whose streams are answered one after the other, and what they asked for. */
function scripted(...answers: Answer[]) {
  const asked: (number | undefined)[] = [];
  const streamIterator = (_: string, options: StreamOptions) => {
    asked.push(options.lastEventId);
    return (answers.shift() as Answer)(options);
  };
  const client = { executions: { streamIterator } } as unknown as FlowMaestroClient;
  return { asked, source: { client, ticket: undefined } };
}

function answer(events: readonly StreamEvent[], error?: Error): Answer {
  return async function* ({ onConnect, signal }) {
    onConnect?.({
      type: "connected",
      execution_id: "exec_1",
      timestamp: new Date().toISOString(),
      status: "running",
      last_event_id: events.length,
    });
    yield* events;
    if (error !== undefined) throw error;
    if (events.at(-1)?.type === "execution:completed") return;
    await new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  };
}

function refusal(error: Error): Answer {
  return () => ({
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }),
  });
}

async function opened(...answers: Answer[]) {
  const { asked, source } = scripted(...answers);
  const player = new Player("exec_1", source);
  player.recording.open();
  await vi.advanceTimersByTimeAsync(50);
  return { player, asked, source };
}

describe("a recording", () => {
  test("goes on from its cursor with another credential", async () => {
    const details = { status: 401, code: "revoked_api_key" };
    const revoked = answer(LOG.slice(0, 2), new RevokedAPIKey("It has been revoked.", details));
    const { player, asked, source } = await opened(revoked, answer(LOG.slice(2)));
    expect(player.getState().connection.kind).toBe("failed");
    player.recording.open({ ...source, ticket: "fm_ticket" });
    await vi.advanceTimersByTimeAsync(50);
    expect(asked).toEqual([0, 2]);
    expect(player.events.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(player.getState().connection.kind).toBe("ended");
  });

  test("has each event once though it is closed and opened again, as StrictMode does", async () => {
    const { player, asked } = await opened(answer(LOG.slice(0, 3)), answer(LOG.slice(3)));
    player.recording.close();
    player.recording.open();
    await vi.advanceTimersByTimeAsync(50);
    expect(asked).toEqual([0, 3]);
    expect(player.events).toHaveLength(6);
  });

  test("begins after what the server no longer keeps", async () => {
    const details = { trimmed_through: 3, oldest_available: 4 };
    const expired = new CursorExpired("Gone.", { status: 410, code: "cursor_expired", details });
    const { player, asked } = await opened(refusal(expired), answer(LOG.slice(3)));
    expect(asked).toEqual([0, 3]);
    expect(player.getState()).toMatchObject({ trimmedThrough: 3, count: 3 });
  });
});

describe("a player", () => {
  test("shows what comes as it comes", async () => {
    const { player } = await opened(answer(LOG.slice(0, 2)));
    expect(player.getState()).toMatchObject({ count: 2, position: 2, isLive: true });
    expect(player.node("a")?.status).toBe("running");
  });

  test("shows any moment of the past, and the same whichever way it got there", async () => {
    const { player } = await opened(answer(LOG));
    player.seek(3);
    const forwards = [player.node("a"), player.node("b"), player.getState().summary];
    player.seek(6);
    player.seek(3);
    expect([player.node("a"), player.node("b"), player.getState().summary]).toEqual(forwards);
    expect(player.node("a")?.status).toBe("completed");
    expect(player.node("b")).toBeUndefined();
    player.seek(0);
    expect(player.getState()).toMatchObject({ position: 0, isLive: false });
    player.seek(99);
    expect(player.getState()).toMatchObject({ position: 6, isLive: true });
  });

  test("plays it again, a short one slower than it was, and stops at the end", async () => {
    const { player } = await opened(answer(LOG));
    player.play();
    expect(player.getState()).toMatchObject({ position: 0, isPlaying: true });
    await vi.advanceTimersByTimeAsync(1_500); // of 3,000 for the execution's 1,000
    expect(player.node("a")?.status).toBe("completed");
    expect(player.node("b")?.status).toBe("running");
    expect(player.nowMs() - Date.parse(LOG[0]?.timestamp ?? "")).toBeCloseTo(493, -2);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(player.getState()).toMatchObject({ position: 6, isPlaying: false, isLive: true });
  });
});

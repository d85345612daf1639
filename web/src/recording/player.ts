/** Shows a recording: live, or as of any of its events. */

import type { StreamEvent } from "@flowmaestro/sdk";
import { RunFold, type RunSummary } from "../run/fold.js";
import type { NodeView } from "../run/node-view.js";
import { type Connection, Recording, type Source } from "./recording.js";

/** How the player stands; it never changes, a later one is another object. */
export interface PlayerState {
  /** How many events there are. */
  readonly count: number;
  /** How many of them are shown. */
  readonly position: number;
  /** Whether what comes is shown as it comes. */
  readonly isLive: boolean;
  readonly isPlaying: boolean;
  readonly connection: Connection;
  /** Whether what comes is the present, and not yet the past. */
  readonly isCaughtUp: boolean;
  readonly trimmedThrough: number;
  readonly summary: RunSummary;
  /** How many nodes have begun: `order` grows with it. */
  readonly begun: number;
}

const FRAME_MS = 40;
/** A replay takes as long as the execution did, within these. */
const MIN_REPLAY_MS = 3_000;
const MAX_REPLAY_MS = 12_000;

export class Player {
  readonly recording: Recording;
  #fold = new RunFold();
  /** How many events are shown; `null`: all there are, as they come. */
  #position: number | null = null;
  /** The moment that is shown, while it is not the present. */
  #shownMs: number | null = null;
  #playing: ReturnType<typeof setInterval> | undefined;
  #state: PlayerState;
  readonly #listeners = new Set<() => void>();

  constructor(executionId: string, source: Source) {
    this.recording = new Recording(executionId, source, () => this.#show());
    this.#state = this.#takeState();
  }

  get events(): readonly StreamEvent[] {
    return this.recording.events;
  }

  /** The nodes that have begun, in that order; it only grows while the player is live. */
  get order(): readonly string[] {
    return this.#fold.order;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getState = (): PlayerState => this.#state;

  /** The node as it is shown; `undefined` before it has begun. */
  node(id: string): NodeView | undefined {
    return this.#fold.node(id);
  }

  /** The moment that is shown: the server's time while the execution runs. */
  nowMs(): number {
    const { endedMs, atMs } = this.#fold.summary;
    if (this.#shownMs !== null) return this.#shownMs;
    return endedMs ?? (atMs === null ? 0 : Date.now() + this.recording.clockOffsetMs);
  }

  /** Shows the first `position` events. */
  seek(position: number): void {
    this.pause();
    this.#moveTo(position);
  }

  /** Plays from where it stands, from the beginning if that is the end. */
  play(): void {
    const first = this.events[0];
    const last = this.events.at(-1);
    if (this.#playing !== undefined || first === undefined || last === undefined) return;
    if (this.#position === null || this.#position >= this.events.length) this.#moveTo(0);
    const [startMs, endMs] = [Date.parse(first.timestamp), Date.parse(last.timestamp)];
    const wholeMs = Math.max(1, endMs - startMs);
    const speed = wholeMs / Math.min(Math.max(wholeMs, MIN_REPLAY_MS), MAX_REPLAY_MS);
    let before = performance.now();
    this.#playing = setInterval(() => {
      const now = performance.now();
      const shownMs = (this.#shownMs ?? startMs) + (now - before) * speed;
      before = now;
      let position = this.#position ?? 0;
      while (position < this.events.length && timeOf(this.events[position]) <= shownMs) {
        position += 1;
      }
      if (position >= this.events.length) this.seek(position);
      else this.#moveTo(position, shownMs);
    }, FRAME_MS);
    this.#publish();
  }

  pause(): void {
    if (this.#playing === undefined) return;
    clearInterval(this.#playing);
    this.#playing = undefined;
    this.#publish();
  }

  close(): void {
    this.pause();
    this.recording.close();
  }

  #moveTo(position: number, shownMs?: number): void {
    const bounded = Math.min(Math.max(0, Math.round(position)), this.events.length);
    const isEnd = bounded === this.events.length;
    this.#position = isEnd ? null : bounded;
    this.#shownMs = isEnd ? null : (shownMs ?? timeOf(this.events[Math.max(0, bounded - 1)]));
    this.#show();
  }

  #show(): void {
    const position = this.#position ?? this.events.length;
    // A fold goes one way only; the way from the beginning takes milliseconds.
    if (this.#fold.applied > position) this.#fold = new RunFold();
    while (this.#fold.applied < position) {
      this.#fold.apply(this.events[this.#fold.applied] as StreamEvent);
    }
    this.#publish();
  }

  #publish(): void {
    this.#state = this.#takeState();
    for (const listener of this.#listeners) listener();
  }

  #takeState(): PlayerState {
    return {
      count: this.events.length,
      position: this.#fold.applied,
      isLive: this.#position === null,
      isPlaying: this.#playing !== undefined,
      connection: this.recording.connection,
      isCaughtUp: this.recording.isCaughtUp,
      trimmedThrough: this.recording.trimmedThrough,
      summary: this.#fold.summary,
      begun: this.#fold.order.length,
    };
  }
}

function timeOf(event: StreamEvent | undefined): number {
  return event === undefined ? 0 : Date.parse(event.timestamp);
}

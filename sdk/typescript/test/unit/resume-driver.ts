import type { Action, Reply, ResumeOptions } from "../../src/streaming/actions.js";
import { Resumption } from "../../src/streaming/resume.js";

const OPTIONS: ResumeOptions = {
  backoff: { baseMs: 500, maxMs: 30_000 },
  stallMs: 45_000,
  maxReconnects: undefined,
  maxFirstReconnects: 3,
  maxRetryAfterMs: 120_000,
  timeoutMs: undefined,
  renewsTickets: false,
};

/** Plays replies to a resumption, with a clock that stands and a jitter of one half. */
export class Driver {
  readonly resumption: Resumption;
  readonly actions: Action[] = [];
  clockMs = 0;

  constructor(options: Partial<ResumeOptions> = {}, lastEventId = 0) {
    this.resumption = new Resumption({ ...OPTIONS, ...options }, lastEventId, {
      clock: () => this.clockMs,
      now: () => 0,
      random: () => 0.5,
    });
  }

  /** Runs to the end; `reply` answers the actions that have a reply. */
  run(reply: (action: Action) => Reply): void {
    const actions = this.resumption.run();
    let answer: Reply;
    while (true) {
      const step = actions.next(answer);
      if (step.done) return;
      this.actions.push(step.value);
      const hasReply = step.value.kind === "open" || step.value.kind === "read";
      answer = hasReply ? reply(step.value) : undefined;
    }
  }

  get cursors(): number[] {
    return this.actions.flatMap((action) => (action.kind === "open" ? [action.lastEventId] : []));
  }

  get numbers(): number[] {
    return this.actions.flatMap((action) =>
      action.kind === "deliver" ? action.events.map((event) => event.number) : [],
    );
  }

  get waitsMs(): number[] {
    return this.actions.flatMap((action) =>
      action.kind === "reconnecting" ? [action.delayMs] : [],
    );
  }
}

import { useEffect, useSyncExternalStore } from "react";

const TICK_MS = 100;

/** One timer for everything on the page that counts, running only while something does. */
class Ticker {
  #ticks = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #listeners = new Set<() => void>();

  readonly getTicks = (): number => this.#ticks;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => {
      this.#ticks += 1;
      for (const tick of this.#listeners) tick();
    }, TICK_MS);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  };
}

const ticker = new Ticker();
const subscribeToNothing = () => () => {};

/** Renders the component ten times a second while `isActive`. */
export function useTick(isActive: boolean): void {
  useSyncExternalStore(isActive ? ticker.subscribe : subscribeToNothing, ticker.getTicks);
}

/** Calls `callback` every `ms` milliseconds while the page is seen. */
export function useInterval(callback: () => void, ms: number): void {
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") callback();
    }, ms);
    return () => clearInterval(timer);
  }, [callback, ms]);
}

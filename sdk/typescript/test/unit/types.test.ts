/** What the compiler knows. `npm run check` compiles this file, which is the test. */

import { expect, expectTypeOf, test } from "vitest";
import {
  APIError,
  AuthenticationError,
  type ExecutionCompleted,
  type FlowMaestroError,
  isTerminal,
  isUnknown,
  ResourceNotFound,
  type StreamEvent,
  type TerminalEvent,
  TransportError,
  type UnknownEvent,
} from "../../src/index.js";

const completed = { type: "execution:completed", number: 4, outputs: { text: "hi" } };
const event = completed as unknown as StreamEvent;

test("a comparison of its type tells an event apart", () => {
  if (event.type === "execution:completed") {
    expectTypeOf(event).toEqualTypeOf<ExecutionCompleted>();
    expectTypeOf(event.outputs).toEqualTypeOf<Readonly<Record<string, unknown>>>();
  }
  switch (event.type) {
    case "node:failed":
    case "execution:failed":
      expectTypeOf(event.error).toBeString();
      break;
    case "node:started":
      expectTypeOf(event.attempt).toBeNumber();
      break;
    default:
      // @ts-expect-error: it may be an event without it
      event.outputs;
  }
  // @ts-expect-error: there is no such type
  if (event.type === "execution:complete") expect.unreachable();
  expectTypeOf(event.number).toBeNumber();
  expectTypeOf(event.type).toExtend<string>();
});

test("what is left after all known types is unknown", () => {
  if (isUnknown(event)) {
    expectTypeOf(event).toEqualTypeOf<UnknownEvent>();
    expectTypeOf(event.anything).toBeUnknown();
  } else {
    expectTypeOf(event).toEqualTypeOf<Exclude<StreamEvent, UnknownEvent>>();
  }
  if (isTerminal(event)) expectTypeOf(event).toEqualTypeOf<TerminalEvent>();
});

test("classes of errors stay apart", () => {
  const error = new APIError("No.", { status: 404, code: "x" }) as FlowMaestroError;
  if (error instanceof TransportError) return;
  expectTypeOf(error).toEqualTypeOf<FlowMaestroError>();
  if (!(error instanceof APIError)) return;
  if (error instanceof AuthenticationError) return;
  expectTypeOf(error).toEqualTypeOf<APIError>();
  if (error instanceof ResourceNotFound) return;
  expectTypeOf(error).toEqualTypeOf<APIError>();
});

import { describe, expect, test } from "vitest";
import { decodeEvent, EventDecodeError } from "../../src/events/codec.js";
import type { StreamEvent } from "../../src/events/models.js";
import { EVENT_TYPES, EXTENSION_TYPES, isTerminal, isUnknown } from "../../src/events/types.js";
import { vectors } from "../support/vectors.js";

interface EventEntry {
  type: string;
  logged: boolean;
  terminal: boolean;
  extension: boolean;
  required: string[];
  optional: string[];
  nullable: string[];
  example: Record<string, unknown>;
  json: string;
}

const { events, kept, invalid } = vectors<{
  events: EventEntry[];
  kept: { name: string; known: boolean; json: string }[];
  invalid: { name: string; json: string; field: string | null }[];
}>("events.json");

function errorOf(json: string): EventDecodeError {
  try {
    decodeEvent(json);
  } catch (error) {
    if (error instanceof EventDecodeError) return error;
    throw error;
  }
  throw new Error("it was taken");
}

describe.each(events)(
  "$type",
  ({ type, example, json, required, optional, nullable, ...entry }) => {
    test("is read as it was written", () => {
      expect(decodeEvent(json)).toEqual(example);
    });

    test("has its number if one is given", () => {
      expect(decodeEvent(json, 7)).toEqual({ ...example, number: 7 });
    });

    test.each(required)("needs %s", (field) => {
      const { [field]: _, ...rest } = example;
      expect(errorOf(JSON.stringify(rest)).field).toBe(field);
    });

    test("may lack its optional fields", () => {
      const rest = Object.fromEntries(
        Object.entries(example).filter(([name]) => !optional.includes(name)),
      );
      expect(decodeEvent(JSON.stringify(rest))).toEqual(rest);
    });

    test("takes null where it may stand, and nowhere else", () => {
      for (const field of required) {
        const changed = JSON.stringify({ ...example, [field]: null });
        if (nullable.includes(field)) expect(decodeEvent(changed)).toHaveProperty(field, null);
        else expect(errorOf(changed).field).toBe(field);
      }
    });

    test("is what the lists of types say it is", () => {
      const event = decodeEvent(json) as StreamEvent;
      expect((EVENT_TYPES as readonly string[]).includes(type)).toBe(entry.logged);
      expect((EXTENSION_TYPES as readonly string[]).includes(type)).toBe(entry.extension);
      expect(isTerminal(event)).toBe(entry.terminal);
    });
  },
);

test("every type of the lists has an entry", () => {
  expect(EVENT_TYPES).toEqual(events.filter((entry) => entry.logged).map((entry) => entry.type));
});

test.each(kept)("kept: $name", ({ json, known }) => {
  const event = decodeEvent(json) as StreamEvent;
  expect(JSON.parse(JSON.stringify(event))).toEqual(JSON.parse(json));
  expect(isUnknown(event)).toBe(!known);
});

test.each(invalid)("invalid: $name", ({ json, field }) => {
  expect(errorOf(json).field ?? null).toBe(field);
});

test("an error does not tell what the event holds", () => {
  const error = errorOf('{"type": "node:log", "execution_id": "exec_1", "secret": "s3cret"}');
  expect(error.message).toBe("malformed node:log event: timestamp: is missing");
});

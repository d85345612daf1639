import { CHECK_OF_TYPE, checkAnyEvent } from "./fields.js";
import type { Connected, StreamEvent } from "./models.js";

/**
 * A text is no event.
 *
 * The text itself is not told: what a node put out may be anybody's secret.
 */
export class EventDecodeError extends Error {
  override readonly name = "EventDecodeError";

  /**
   * @param type - the event's type, as far as it is known.
   * @param field - the field that is missing or wrong; `undefined`: the text is no JSON object.
   * @param reason - what is wrong with it.
   */
  constructor(
    readonly type: string | undefined,
    readonly field: string | undefined,
    reason: string,
    options?: ErrorOptions,
  ) {
    const what = type === undefined ? "malformed event" : `malformed ${type} event`;
    super(`${what}: ${field === undefined ? "" : `${field}: `}${reason}`, options);
  }
}

/**
 * Returns the event that `data`, one JSON object, stands for. Unknown fields stay in it, and a type
 * that this version does not know is let through with what every event has.
 *
 * @param data - JSON text.
 * @param number - the event's place in its log, which its data does not hold.
 * @throws {@link EventDecodeError} `data` is no JSON object, or a field is missing or of the wrong
 * type.
 */
export function decodeEvent(data: string, number?: number): StreamEvent | Connected {
  let event: unknown;
  try {
    event = JSON.parse(data);
  } catch (error) {
    throw new EventDecodeError(undefined, undefined, "no JSON", { cause: error });
  }
  if (typeof event !== "object" || event === null || Array.isArray(event)) {
    throw new EventDecodeError(undefined, undefined, "no JSON object");
  }
  const fields = event as Record<string, unknown>;
  const { type } = fields;
  if (typeof type !== "string") throw new EventDecodeError(undefined, "type", "must be a string");
  const fault = checkAnyEvent(fields) ?? CHECK_OF_TYPE.get(type)?.(fields);
  if (fault !== undefined) throw new EventDecodeError(type, fault.field, fault.reason);
  if (number !== undefined) fields.number = number;
  return fields as unknown as StreamEvent | Connected;
}

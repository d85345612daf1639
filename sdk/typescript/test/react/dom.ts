/**
 * A document for React, in Node's own world: vitest's environments would replace its `fetch` and
 * streams as well, which are what is tested.
 */

import { Window } from "happy-dom";

const window = new Window();
const globals = { window, document: window.document, navigator: window.navigator };
for (const [name, value] of Object.entries(globals)) {
  Object.defineProperty(globalThis, name, { value, configurable: true });
}
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

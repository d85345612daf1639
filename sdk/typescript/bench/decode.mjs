/**
 * What decoding costs: the SDK, from bytes to typed, checked and numbered events, beside
 * `eventsource-parser` and `JSON.parse` alone, in the same run. Run `npm run build` first.
 *
 * The parts are run in turns and the fastest turn of each counts: what is left out is other work on
 * the machine. "alone" takes the same chunks and has to make text of them, too; "from text" has been
 * given text.
 */

import { createParser } from "eventsource-parser";
import { FlowMaestroClient } from "../dist/index.js";

const EVENTS = 100_000;
const CHUNK_BYTES = 16_384;
const TURNS = 7;

const { texts, chunks } = makeStream();

function makeStream() {
  const common = { execution_id: "exec_01jnh3m2c0000000000000000a", timestamp: moment(0) };
  const node = { node_id: "each[0].fetch", node_name: "Fetch", node_type: "http" };
  const data = [
    { type: "node:started", ...common, ...node, attempt: 1, started_at: moment(0) },
    {
      ...{ type: "node:completed", ...common, ...node },
      ...{ outputs: { status: 200, body: { text: "Grüße, 世界", n: [1, 2, 3] } }, attempt: 1 },
      ...{ duration_ms: 118, completed_at: moment(118) },
    },
    {
      ...{ type: "execution:progress", ...common, progress: 37.5, current_node: "each[0].fetch" },
      ...{ completed_nodes: 1, total_nodes: 4 },
    },
  ];
  const connected = { type: "connected", ...common, status: "running", last_event_id: EVENTS };
  const done = { type: "execution:completed", ...common, status: "completed", outputs: {} };
  Object.assign(done, { started_at: moment(0), completed_at: moment(1), duration_ms: 1 });
  let stream = `event: connected\nretry: 1000\ndata: ${JSON.stringify(connected)}\n\n`;
  for (let number = 1; number <= EVENTS; number++) {
    const event = number === EVENTS ? done : data[number % data.length];
    stream += `id: ${number}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
  }
  const bytes = Buffer.from(stream);
  const chunks = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    chunks.push(new Uint8Array(bytes.subarray(at, at + CHUNK_BYTES)));
  }
  const decoder = new TextDecoder();
  return { chunks, texts: chunks.map((chunk) => decoder.decode(chunk, { stream: true })) };
}

function moment(milliseconds) {
  return new Date(Date.UTC(2025, 2, 1, 12, 0, 0, milliseconds)).toISOString();
}

function parseTexts(each) {
  let count = 0;
  const parser = createParser({
    onEvent: ({ data }) => {
      JSON.parse(data);
      count += 1;
    },
  });
  each((text) => parser.feed(text));
  return count - 1; // without `connected`
}

const parts = {
  "from text": () => parseTexts((feed) => texts.forEach(feed)),
  alone: () => {
    const decoder = new TextDecoder();
    return parseTexts((feed) => {
      for (const chunk of chunks) feed(decoder.decode(chunk, { stream: true }));
    });
  },
  "alone, over a response": async () => {
    const decoder = new TextDecoder();
    let count = 0;
    const parser = createParser({
      onEvent: ({ data }) => {
        JSON.parse(data);
        count += 1;
      },
    });
    const reader = response().body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      parser.feed(decoder.decode(read.value, { stream: true }));
    }
    return count - 1;
  },
  SDK: async () => {
    const client = new FlowMaestroClient({ apiKey: "fm_test_1", fetch: async () => response() });
    let count = 0;
    for await (const _ of client.executions.streamIterator("exec_1")) count += 1;
    return count;
  },
};

function response() {
  let next = 0;
  const body = new ReadableStream({
    pull(controller) {
      if (next < chunks.length) controller.enqueue(chunks[next++]);
      else controller.close();
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

const fastest = {};
for (let turn = 0; turn < TURNS; turn++) {
  for (const [name, run] of Object.entries(parts)) {
    const began = performance.now();
    const count = await run();
    const ms = performance.now() - began;
    if (count !== EVENTS) throw new Error(`${name} saw ${count} events`);
    fastest[name] = Math.min(fastest[name] ?? Number.POSITIVE_INFINITY, ms);
  }
}

console.log(`${EVENTS} events, ${Math.round((chunks.length * CHUNK_BYTES) / EVENTS)} bytes each`);
for (const [name, ms] of Object.entries(fastest)) {
  const each = `${((ms * 1000) / EVENTS).toFixed(2)} µs each`;
  const ratio = (ms / fastest.alone).toFixed(2);
  console.log(`${name.padEnd(24)} ${ms.toFixed(0).padStart(5)} ms   ${each}   ${ratio} × alone`);
}

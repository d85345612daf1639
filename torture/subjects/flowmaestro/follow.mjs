// Follows one execution with the TypeScript SDK and writes each event on a line, its number first.
// node follow.mjs SDK BASE_URL EXECUTION INCLUDE STALL_MS, with the key in FLOWMAESTRO_API_KEY.
import process from "node:process";

const [sdk, baseUrl, execution, include, stallMs] = process.argv.slice(2);
const { FlowMaestroClient } = await import(sdk);
const client = new FlowMaestroClient({
  apiKey: process.env.FLOWMAESTRO_API_KEY,
  baseUrl,
  stallMs: Number(stallMs),
});
const events = client.executions.streamIterator(execution, {
  include: include.split(","),
  maxReconnects: 1_000_000,
});
for await (const { number, ...event } of events) {
  process.stdout.write(`${number} ${JSON.stringify(event)}\n`);
}

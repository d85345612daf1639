// Node's own http server: a Set of responses for each topic, each event encoded once and written to
// all. Nagle's algorithm is off (http.Server's default). It speaks the protocol of control.py.
"use strict";

const http = require("node:http");
const readline = require("node:readline");

const [dataHead, eventName] = process.argv.slice(2);
let topics = [];
let numbers = [];

const server = http.createServer({ noDelay: true }, (request, response) => {
  const readers = topics[Number(request.url.slice(1))];
  response.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
  });
  response.flushHeaders();
  readers.add(response);
  request.on("close", () => readers.delete(response));
});

function publish(topic, padding) {
  const number = ++numbers[topic];
  const data = `${dataHead}n=${number} t=${process.hrtime.bigint()}${padding}"}`;
  const frame = Buffer.from(`id: ${number}\nevent: ${eventName}\ndata: ${data}\n\n`);
  const full = [];
  for (const response of topics[topic]) {
    if (!response.write(frame)) full.push(response);
  }
  return full;
}

const drained = (response) =>
  response.writableNeedDrain ? new Promise((done) => response.once("drain", done)) : undefined;

async function emit(seconds, perSecond, paddingBytes) {
  const padding = "x".repeat(paddingBytes);
  const begun = performance.now();
  const planned = perSecond ? Math.round(seconds * perSecond) : Infinity;
  let emitted = 0;
  while (emitted < planned && performance.now() - begun < seconds * 1000) {
    const early = perSecond ? begun + (emitted * 1000) / perSecond - performance.now() : 0;
    if (early > 0) await new Promise((due) => setTimeout(due, early));
    for (const response of publish(emitted % topics.length, padding)) await drained(response);
    emitted += 1;
    if (!perSecond) await new Promise(setImmediate);
  }
  return emitted;
}

const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");

server.listen({ port: 0, host: "127.0.0.1", backlog: 2048 }, async () => {
  say({ port: server.address().port, pids: [process.pid] });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [command, ...words] = line.split(" ");
    if (command === "topics") {
      topics = Array.from({ length: Number(words[0]) }, () => new Set());
      numbers = topics.map(() => 0);
      say({ targets: topics.map((_, topic) => `/${topic}`) });
    } else {
      say({ emitted: await emit(...words.map(Number)) });
    }
  }
  process.exit(0);
});

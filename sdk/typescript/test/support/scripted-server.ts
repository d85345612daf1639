/**
 * A loopback server that answers with scripted bytes, for clients that must survive anything.
 *
 * It speaks no HTTP of its own: an answer is the bytes to send and what happens after them, so that
 * it can be cut, stalled or reset anywhere.
 */

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

/** After the bytes: close the connection, reset it, say nothing more, or wait for a next request. */
export type Ending = "close" | "reset" | "stall" | "keep";

/** One request as it came. Header names are in lower case. */
export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The bytes of a response, in the pieces they are sent in. */
export class ScriptedAnswer {
  constructor(
    readonly pieces: readonly Buffer[],
    readonly ending: Ending = "close",
  ) {}

  get data(): Buffer {
    return Buffer.concat(this.pieces);
  }

  /** The same answer, broken off after its first `length` bytes. */
  cut(length: number, ending: Ending = "close"): ScriptedAnswer {
    return new ScriptedAnswer([this.data.subarray(0, length)], ending);
  }

  /** The same answer, one byte at a time. */
  trickled(): ScriptedAnswer {
    const { data } = this;
    return new ScriptedAnswer(
      Array.from(data, (byte) => Buffer.of(byte)),
      this.ending,
    );
  }

  /** The same answer in two pieces. */
  split(position: number): ScriptedAnswer {
    const { data } = this;
    return new ScriptedAnswer([data.subarray(0, position), data.subarray(position)], this.ending);
  }

  /** The same pieces without the last `count`, and then nothing more. */
  stalledBefore(count: number): ScriptedAnswer {
    return new ScriptedAnswer(this.pieces.slice(0, -count), "stall");
  }
}

type Fields = Readonly<Record<string, string>>;

/** A whole response with a length. */
export function response(status: number, body = "", headers: Fields = {}): ScriptedAnswer {
  const length: Fields = status === 204 ? {} : { "Content-Length": `${Buffer.byteLength(body)}` };
  const fields = { "Content-Type": "application/json", ...length, ...headers };
  return new ScriptedAnswer([Buffer.from(head(status, fields) + body)], "keep");
}

/** An answer in the API's envelope. */
export function success(data: unknown, status = 200, beside: object = {}): ScriptedAnswer {
  return response(status, JSON.stringify({ data, ...beside, meta: META }));
}

/** An error in the API's envelope. */
export function failure(
  status: number,
  code: string,
  { message = "It failed.", details = null as unknown, headers = {} as Fields } = {},
): ScriptedAnswer {
  const error = { code, message, details };
  return response(status, JSON.stringify({ error, meta: META }), headers);
}

const META = { request_id: "req_1", timestamp: "2026-01-02T03:04:05.678Z" };

/** An event stream of `frames` that ends cleanly. */
export function stream(frames: readonly string[], { chunked = true } = {}): ScriptedAnswer {
  const fields = { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" };
  const bodies = frames.map((frame) => Buffer.from(frame));
  if (!chunked) {
    const start = Buffer.from(head(200, { ...fields, Connection: "close" }));
    return new ScriptedAnswer([start, ...bodies], "close");
  }
  const start = Buffer.from(head(200, { ...fields, "Transfer-Encoding": "chunked" }));
  return new ScriptedAnswer([start, ...bodies.map(chunk), Buffer.from("0\r\n\r\n")], "keep");
}

/** `body` as one chunk of a chunked response. */
export function chunk(body: Buffer): Buffer {
  const size = Buffer.from(`${body.length.toString(16)}\r\n`);
  return Buffer.concat([size, body, Buffer.from("\r\n")]);
}

function head(status: number, fields: Fields): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Scripted\r\n${lines.join("")}\r\n`;
}

export type Script = (request: ScriptedRequest) => ScriptedAnswer;

/** Gives each answer once, and the last one for ever after. */
export function inOrder(...answers: readonly ScriptedAnswer[]): Script {
  const remaining = [...answers];
  return () => (remaining.length > 1 ? remaining.shift() : remaining[0]) as ScriptedAnswer;
}

/** Gives `answer` once, and what `then` gives ever after. */
export function first(answer: ScriptedAnswer, then: Script): Script {
  const remaining = [answer];
  return (request) => remaining.pop() ?? then(request);
}

export class ScriptedServer {
  script: Script;
  requests: ScriptedRequest[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #used = new Set<Socket>();
  readonly #waiting = new Set<() => void>();

  private constructor(script: Script) {
    this.script = script;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(script: Script | ScriptedAnswer): Promise<ScriptedServer> {
    const scripted = typeof script === "function" ? script : inOrder(script);
    const server = new ScriptedServer(scripted);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /**
   * How many connections are open that a request came on: when one breaks off, Node opens another
   * one to have it at hand.
   */
  get openConnections(): number {
    return this.#used.size;
  }

  /** Resolves when `condition` holds; it is looked at when a connection or request comes or goes. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }

  #changed(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    this.#changed();
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#used.delete(socket);
      this.#changed();
    });
    let received = Buffer.alloc(0);
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, bytes]);
      const request = parseRequest(received);
      if (request === undefined) return;
      received = Buffer.alloc(0);
      this.#used.add(socket);
      this.requests.push(request);
      this.#changed();
      void this.#answer(socket, this.script(request));
    });
  }

  async #answer(socket: Socket, { pieces, ending }: ScriptedAnswer): Promise<void> {
    for (const piece of pieces) {
      if (socket.destroyed) return;
      socket.write(piece);
      await new Promise(setImmediate); // so that pieces arrive one by one
    }
    if (ending === "close") socket.end();
    if (ending === "reset") socket.resetAndDestroy();
  }
}

function parseRequest(bytes: Buffer): ScriptedRequest | undefined {
  const text = bytes.toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [line = "", ...lines] = text.slice(0, end).split("\r\n");
  const [method = "", target = ""] = line.split(" ");
  const headers = Object.fromEntries(
    lines.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }),
  );
  const body = bytes.subarray(end + 4);
  if (body.length < Number(headers["content-length"] ?? 0)) return undefined;
  const url = new URL(target, "http://server");
  const query = Object.fromEntries(url.searchParams);
  return { method, path: url.pathname, query, headers, body: body.toString() };
}

/** The address of a port that nobody listens on. */
export async function unusedUrl(): Promise<string> {
  const server = await ScriptedServer.start(response(200));
  const { url } = server;
  await server.stop();
  return url;
}

/** A real server in a process of its own, with a database in a temporary folder. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const COMMAND = fileURLToPath(new URL("../../../../.venv/bin/flowmaestro", import.meta.url));

export class FlowMaestroServer {
  baseUrl = "";
  key = "";
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts a server, and makes a key for everything. */
  static async start(): Promise<FlowMaestroServer> {
    if (!existsSync(COMMAND)) throw new Error(`${COMMAND} is missing: run "make install" first.`);
    const server = new FlowMaestroServer(await mkdtemp(join(tmpdir(), "flowmaestro-sdk-")));
    await server.launch();
    const options = ["--name", "sdk", "--bundle", "full-access", "--rate-limit-per-minute", "0"];
    const { stdout } = await promisify(execFile)(COMMAND, ["keys", "create", ...options], {
      cwd: server.#folder,
      env: environment(),
    });
    server.key = stdout.trim();
    return server;
  }

  /** Starts its process, at the port of the process before. */
  async launch(): Promise<void> {
    const port = this.baseUrl === "" ? "0" : new URL(this.baseUrl).port;
    const process = spawn(COMMAND, ["serve", "--port", port], {
      cwd: this.#folder,
      env: environment(),
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#process = process;
    for await (const line of createInterface({ input: process.stdout })) {
      this.baseUrl = /^listening on (\S+)/.exec(line)?.[1] ?? "";
      if (this.baseUrl !== "") return;
    }
    throw new Error("the server ended before it listened");
  }

  /** Ends its process as a power cut would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks its process to stop, and waits until it has. */
  async terminate(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const process = this.#process;
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
    const ended = once(process, "exit");
    process.kill(signal);
    await ended;
  }
}

function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("FLOWMAESTRO_"));
  return { ...Object.fromEntries(own), FLOWMAESTRO_SHUTDOWN_GRACE_SECONDS: "1" };
}

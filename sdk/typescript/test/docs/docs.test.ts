/** What the documentation shows compiles, runs, prints what it says, and lists what there is. */

import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format, promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as errors from "../../src/errors.js";
import { FlowMaestroClient } from "../../src/index.js";
import { type Block, blocksOf, matches, section } from "../support/docs.js";
import { FlowMaestroServer } from "../support/flowmaestro-server.js";

const PAGE = new URL("../../../../docs/sdk-typescript.md", import.meta.url);
const README = new URL("../../README.md", import.meta.url);
const GENERATED = new URL("./generated/", import.meta.url);

/** The example of the page that FlowMaestro was asked for, as it was written. */
const THE_PAGE = `
import { FlowMaestroClient } from "@flowmaestro/sdk";

const client = new FlowMaestroClient({ apiKey: "fm_live_..." });

// Using async iterator
for await (const event of client.executions.streamIterator("exec_xyz789")) {
    if (event.type === "execution:completed") {
        console.log("Done:", event.outputs);
        break;
    }
}
`;

const blocks = blocksOf(PAGE);
const runnable = blocks.filter(({ info }) => info === "ts");

beforeAll(() => {
  mkdirSync(GENERATED, { recursive: true });
  write("page.ts", asModule(runnable));
  write("the-page.ts", THE_PAGE);
  write("readme.ts", asModule(blocksOf(README).filter(({ info }) => info === "ts")));
  for (const { info, line, text } of blocks) {
    if (info === "tsx") write(`line-${line}.tsx`, text);
    if (info === "typescript") write(`line-${line}.ts`, text);
  }
});
afterAll(() => rmSync(GENERATED, { recursive: true }));

function write(name: string, text: string): void {
  writeFileSync(new URL(name, GENERATED), text);
}

/** The blocks in order; each says that it begins, so that its output can be told apart. */
function asModule(parts: readonly Block[]): string {
  const text = parts.map(({ line, text }) => `console.log("\\u0000${line}");\n${text}`).join("\n");
  return `${text}\nexport {};\n`;
}

test("every example compiles", async () => {
  const tsc = fileURLToPath(new URL("../../node_modules/.bin/tsc", import.meta.url));
  const project = fileURLToPath(new URL("./tsconfig.json", import.meta.url));
  const { stdout } = await promisify(execFile)(tsc, ["-p", project]).catch((error) => error);
  expect(stdout).toBe("");
});

describe("with a server", () => {
  let server: FlowMaestroServer;

  beforeAll(async () => {
    server = await FlowMaestroServer.start();
    vi.stubEnv("FLOWMAESTRO_BASE_URL", server.baseUrl);
    vi.stubEnv("FLOWMAESTRO_API_KEY", server.key);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await server.stop();
  });

  /** Runs a generated module, and returns what it prints. */
  async function run(name: string): Promise<string> {
    const lines: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((...values) => {
      lines.push(format(...values));
    });
    try {
      await import(new URL(name, GENERATED).href);
    } finally {
      log.mockRestore();
    }
    return lines.join("\n");
  }

  test("the examples print what the page shows", async () => {
    const printed = (await run("page.ts")).split("\0").slice(1);
    expect(printed).toHaveLength(runnable.length);
    for (const [index, block] of blocks.entries()) {
      if (block.info !== "text output") continue;
      const { line } = blocks[index - 1] as Block;
      const output = printed.find((text) => text.startsWith(`${line}\n`)) ?? "";
      const own = output.slice(output.indexOf("\n"));
      expect(matches(block.text, own), `line ${block.line}:\n${own}`).toBe(true);
    }
  });

  test("the page's example runs as it was written", async () => {
    const client = new FlowMaestroClient();
    const { id } = await client.workflows.create({
      name: "Greeting",
      nodes: { out: { type: "output", config: { output_name: "text", value: "Hello!" } } },
    });
    const { execution_id } = await client.workflows.execute(id);
    // Its key and execution are the reader's to fill in.
    const filled = THE_PAGE.replace("fm_live_...", server.key).replace("exec_xyz789", execution_id);
    write("the-page-filled.ts", filled);
    expect(await run("the-page-filled.ts")).toBe("Done: { text: 'Hello!' }");
  });
});

describe("the lists are complete:", () => {
  test("methods", () => {
    const client = new FlowMaestroClient({ apiKey: null });
    const methods = (["workflows", "executions"] as const).flatMap((name) =>
      Object.getOwnPropertyNames(Object.getPrototypeOf(client[name]))
        .filter((method) => method !== "constructor")
        .map((method) => `${name}.${method}`),
    );
    const shown = [...section(PAGE, "The client").matchAll(/^\| `(\w+\.\w+)\(/gm)];
    expect(shown.map(([, name]) => name).sort()).toEqual(methods.sort());
  });

  test("errors", () => {
    const parents: string[] = [];
    const shown: Record<string, string> = {};
    for (const [, indent = "", name = ""] of section(PAGE, "Errors").matchAll(
      /^([│├└─ ]*)([A-Z]\w+)(?: |$)/gm,
    )) {
      if (!(name in errors)) continue;
      const depth = indent.length / 4;
      parents[depth] = name;
      shown[name] = parents[depth - 1] ?? "Error";
    }
    const classes = Object.entries(errors).filter(([, value]) => typeof value === "function");
    expect(shown).toEqual(
      Object.fromEntries(classes.map(([name, value]) => [name, Object.getPrototypeOf(value).name])),
    );
  });

  test("codes of errors", () => {
    const lines = section(PAGE, "Errors").split("\n");
    for (const [code, { name }] of errors.ERROR_OF_CODE) {
      expect(lines.find((line) => line.includes(`── ${name} `))).toMatch(new RegExp(` ${code}$`));
    }
  });
});

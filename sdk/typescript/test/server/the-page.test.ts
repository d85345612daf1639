/** The example of the page that FlowMaestro was asked for runs as it was written. */

// The name that the example imports; vitest's configuration leads it to `src`.
import { FlowMaestroClient } from "@flowmaestro/sdk";
import { expect, test, vi } from "vitest";
import { FlowMaestroServer } from "../support/flowmaestro-server.js";

test("the page's example", async () => {
  const server = await FlowMaestroServer.start();
  vi.stubEnv("FLOWMAESTRO_BASE_URL", server.baseUrl);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    const setUp = new FlowMaestroClient({ apiKey: server.key });
    const { id } = await setUp.workflows.create({
      name: "Greeting",
      nodes: { out: { type: "output", config: { output_name: "text", value: "Hello!" } } },
    });
    const { execution_id } = await setUp.workflows.execute(id);

    await thePage(server.key, execution_id);
    expect(log).toHaveBeenCalledWith("Done:", { text: "Hello!" });
  } finally {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    await server.stop();
  }
});

/** The page's lines; its key and execution are arguments. */
async function thePage(fm_live: string, exec_xyz789: string): Promise<void> {
  const client = new FlowMaestroClient({ apiKey: fm_live });

  // Using async iterator
  for await (const event of client.executions.streamIterator(exec_xyz789)) {
    if (event.type === "execution:completed") {
      console.log("Done:", event.outputs);
      break;
    }
  }
}

import { defineConfig } from "tsdown";

export default defineConfig({
  // Together, so that both speak of the same client: one of its own would be another type.
  entry: { index: "src/index.ts", react: "src/react/index.ts" },
  format: ["esm", "cjs"],
  platform: "neutral",
  target: "es2022",
  dts: true,
  fixedExtension: false,
  hash: false,
  outputOptions: { comments: { legal: true, annotation: true, jsdoc: false } },
  // Bundled: its version 4 says that it needs Node 22, and cannot be required by older ones. It runs
  // on Node 20 all the same, as our tests do.
  deps: { onlyBundle: ["eventsource-parser"] },
});

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    // As users import it, but without a build before.
    alias: {
      "@flowmaestro/sdk/react": source("react/index.ts"),
      "@flowmaestro/sdk": source("index.ts"),
    },
  },
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    // Real servers and their clients share a few cores with these tests.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});

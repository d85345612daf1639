import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { compressed } from "./plugins/compressed.js";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  plugins: [react(), compressed()],
  resolve: {
    // The SDK's source, not its build: one resume logic, and nothing to build before.
    alias: { "@flowmaestro/sdk": path("../sdk/typescript/src/index.ts") },
    // The SDK's source lies outside of this folder, and its packages may not be installed.
    dedupe: ["eventsource-parser"],
  },
  build: {
    // Where the server looks, and from where it goes into the wheel.
    outDir: path("../src/flowmaestro/web"),
    emptyOutDir: true,
    target: "es2022",
    // Nothing inline: the page's Content-Security-Policy allows no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
  test: { include: ["test/**/*.test.{ts,tsx}"], maxWorkers: 2 },
});

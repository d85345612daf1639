/** The package as it is published, which `npm test` builds first. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import * as source from "../../src/index.js";
import * as reactSource from "../../src/react/index.js";

const ROOT = new URL("../../", import.meta.url);
const require = createRequire(new URL("package.json", ROOT));

describe.each([
  ["@flowmaestro/sdk", "index", source],
  ["@flowmaestro/sdk/react", "react", reactSource],
])("%s", (_, name, { ...expected }) => {
  test("as an ES module and as a CommonJS module has the same names", async () => {
    const module = await import(new URL(`dist/${name}.js`, ROOT).href);
    const common = require(`./dist/${name}.cjs`);
    expect(Object.keys(module).sort()).toEqual(Object.keys(expected).sort());
    expect(Object.keys(common).sort()).toEqual(Object.keys(expected).sort());
  });

  test.each(["js", "cjs"])("needs nothing but React (%s)", (extension) => {
    const text = readFileSync(new URL(`dist/${name}.${extension}`, ROOT), "utf8");
    const modules = [...text.matchAll(/(?:require\(| from )"([^"]+)"/g)].map(
      ([, module]) => module,
    );
    expect(modules).toEqual(name === "react" ? ["react"] : []);
  });
});

test("frameworks are told that hooks run in the browser", () => {
  const text = readFileSync(new URL("dist/react.js", ROOT), "utf8");
  expect(text.startsWith('"use client";')).toBe(true);
});

test("what is published is the built code, its types, and little else", () => {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: fileURLToPath(ROOT),
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ files }] = JSON.parse(output.toString()) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path).filter((path) => !path.startsWith("dist/"));
  expect(paths.sort()).toEqual(["LICENSE", "README.md", "package.json"]);
});

test("what is bundled is named in the license", () => {
  const license = readFileSync(new URL("LICENSE", ROOT), "utf8");
  expect(license).toContain("eventsource-parser");
});

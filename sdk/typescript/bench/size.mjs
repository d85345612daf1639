/** How large the package is in a web page: each entry as a bundler would ship it. */

import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "rolldown";

for (const name of ["index", "react"]) {
  const { output } = await build({
    input: new URL(`../dist/${name}.js`, import.meta.url).pathname,
    external: ["react"],
    output: { minify: true },
    write: false,
    logLevel: "silent",
  });
  const code = Buffer.from(output[0].code);
  const published = readFileSync(new URL(`../dist/${name}.js`, import.meta.url));
  const sizes = {
    published: published.length,
    minified: code.length,
    gzip: gzipSync(code, { level: 9 }).length,
    brotli: brotliCompressSync(code).length,
  };
  const shown = Object.entries(sizes).map(
    ([what, bytes]) => `${what} ${(bytes / 1000).toFixed(1)} kB`,
  );
  console.log(`${name.padEnd(6)} ${shown.join(", ")}`);
}

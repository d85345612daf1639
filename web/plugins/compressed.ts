import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const MIN_BYTES = 1024;

/**
 * Writes each file a second time, compressed, so that the server need not do it; and says how much
 * a browser loads.
 */
export function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        let [files, plainBytes, gzipBytes] = [0, 0, 0];
        for (const { fileName, ...file } of Object.values(bundle)) {
          const source = Buffer.from(file.type === "chunk" ? file.code : file.source);
          const small = gzipSync(source, { level: 9 });
          files += 1;
          plainBytes += source.length;
          gzipBytes += small.length;
          if (source.length < MIN_BYTES || fileName.endsWith(".html")) continue;
          this.emitFile({ type: "asset", fileName: `${fileName}.gz`, source: small });
        }
        const kB = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
        this.info(`the page is ${files} files, ${kB(plainBytes)}; gzip ${kB(gzipBytes)}`);
      },
    },
  };
}

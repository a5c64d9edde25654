// `npm run tarball [-- FOLDER]`: what `npm pack` makes, compressed once more by zopfli, which finds a shorter gzip file of the very
// same contents (6% less): the one that is published. Fails if it has more than 2.6 MB. Needs a registry.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { argv, exit } from "node:process";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { mustRun, root } from "./tools.mjs";

/** Not among the development dependencies: it is needed once a release. */
const ZOPFLI = "@gfx/zopfli@1.0.15";

const MOST_BYTES = 2_600_000;

/**
 * The bytes of a gzip file of the same contents.
 *
 * @param {Buffer} contents
 * @returns {Promise<Uint8Array>}
 */
async function compress(contents) {
  const folder = mkdtempSync(join(tmpdir(), "carillon-zopfli-"));
  try {
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    const install = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", ZOPFLI];
    await mustRun("zopfli", "npm", install, { cwd: folder });
    const entry = pathToFileURL(join(folder, "node_modules/@gfx/zopfli/dist/index.js")).href;
    const { default: zopfli } = await import(entry);
    return await zopfli.gzipAsync(contents, { numiterations: 5 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const folder = resolve(argv[2] ?? root);
mkdirSync(folder, { recursive: true });
const packed = JSON.parse(
  await mustRun("npm pack", "npm", ["pack", "--json", "--silent", "--pack-destination", folder]),
);
const file = join(folder, packed[0].filename);
const before = readFileSync(file);
const contents = gunzipSync(before);
const after = await compress(contents);
if (!gunzipSync(after).equals(contents)) throw new Error("the contents have changed");
writeFileSync(file, after);
console.log(`${file}: ${after.length} bytes; as npm packs it ${before.length}`);
if (after.length > MOST_BYTES) {
  console.error(`tarball: more than ${MOST_BYTES} bytes`);
  exit(1);
}

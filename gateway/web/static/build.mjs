// Bundles the pages' scripts and styles: `node build.mjs [folder]`. The same packages give the same bytes everywhere.
import { build } from "esbuild";
import { readFileSync, readdirSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "built");
mkdirSync(out, { recursive: true });
for (const name of readdirSync(out)) rmSync(join(out, name));

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { playground: "source/playground/main.js", editor: "source/editor/main.js", pages: "source/pages.css" },
  outdir: out,
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022", "safari16.4"],
  minify: true,
  legalComments: "none",
  metafile: true,
  entryNames: "[name]",
  chunkNames: "part-[hash]",
  define: { "process.env.NODE_ENV": '"production"', "globalThis.process": "undefined" },
  logLevel: "warning",
});

// Their licences ask that they go along with every copy.
const packages = new Set();
for (const input of Object.keys(metafile.inputs)) {
  const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
  if (found) packages.add(found[1]);
}
const licences = [...packages].sort().map((name) => {
  const folder = join(here, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  return `${name} ${version} (${license})\n\n${file ? readFileSync(join(folder, file), "utf8").trim() : ""}\n`;
});
writeFileSync(join(out, "licences.txt"), licences.join(`\n${"-".repeat(72)}\n\n`));

// Bundles the player into export/player/built, which README.md describes.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "player", "built");
const ort = join(here, "node_modules", "onnxruntime-web");

/** `import { modes } from "modes"`: those of src/modes, found by listing. */
const modes = {
  name: "modes",
  setup(builder) {
    builder.onResolve({ filter: /^modes$/ }, () => ({ path: "modes", namespace: "modes" }));
    builder.onLoad({ filter: /.*/, namespace: "modes" }, () => {
      const folder = join(here, "src", "modes");
      const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, "index.ts"))).sort();
      const imports = names.map((name, at) => `import { mode as m${at} } from "./${name}/index.ts";`);
      const contents = `${imports.join("\n")}\nexport const modes = [${names.map((_, at) => `m${at}`).join(", ")}];`;
      return { contents, resolveDir: folder };
    });
  },
};

const shared = {
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome111", "firefox113", "safari16.4"], // the first with all that the page needs
  charset: "ascii",
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
  write: false,
  absWorkingDir: here,
};

/** The one text that a build gives, and the packages that are in it. */
async function bundle(entry, options) {
  const result = await build({ ...shared, ...(entry ? { entryPoints: [entry] } : {}), ...options });
  for (const path of Object.keys(result.metafile.inputs)) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
    if (found) packages.add(found[1]);
  }
  return result.outputFiles[0].text;
}

const packages = new Set();
const worker = (provider) =>
  bundle("src/engine/worker.ts", {
    define: { PROVIDER: JSON.stringify(provider), "import.meta.url": '""' },
    alias: provider === "webgpu" ? { "onnxruntime-web/wasm": "onnxruntime-web/webgpu" } : {},
  });

const files = new Map();
files.set("player.js", safe(await bundle("src/main.ts", { plugins: [modes] })));
files.set("player.css", await styles());
files.set("widget.js", await bundle("src/notebook/widget.ts", { format: "esm" }));
files.set("worker.js", await worker("wasm"));
files.set("worker.webgpu.js", await worker("webgpu"));
for (const [name, source] of [["ort", "ort-wasm-simd-threaded"], ["ort.webgpu", "ort-wasm-simd-threaded.asyncify"]]) {
  files.set(`${name}.mjs`, readFileSync(join(ort, "dist", `${source}.mjs`)));
  files.set(`${name}.wasm.gz`, gzip(join(ort, "dist", `${source}.wasm`)));
}
files.set("licences.txt", licences());

mkdirSync(out, { recursive: true });
for (const old of readdirSync(out)) if (!files.has(old) && !old.startsWith(".")) rmSync(join(out, old));
for (const [name, contents] of files) writeFileSync(join(out, name), contents);
for (const [name, contents] of files) console.log(`${String(contents.length).padStart(9)}  ${name}`);

/** The page's styles, then those of what is shown on it. */
async function styles() {
  const folder = join(here, "src");
  const first = join("page", "player.css");
  const others = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".css") && name !== first);
  const contents = [first, ...others.sort()].map((name) => `@import ${JSON.stringify(`./${name}`)};`).join("\n");
  return bundle(null, { stdin: { contents, resolveDir: folder, loader: "css" } });
}

/** A script that can stand between `<script>` and `</script>`. */
function safe(script) {
  const made = script.replace(/<\/(?=script)/gi, "<\\/").replace(/<!--/g, "<\\!--");
  if (/[^\x00-\x7f]/.test(made)) throw new Error("player.js is not ASCII");
  return made;
}

/** Packing 27 MB takes seconds: what was packed once is kept under its hash. */
function gzip(path) {
  const data = readFileSync(path);
  const cache = join(here, "node_modules", ".cache", `${createHash("sha256").update(data).digest("hex")}.gz`);
  if (!existsSync(cache)) {
    mkdirSync(dirname(cache), { recursive: true });
    writeFileSync(cache, gzipSync(data, { level: 9 }));
  }
  return readFileSync(cache);
}

/** The licences of all that is bundled. */
function licences() {
  const own = `utsuroi\n\n${readFileSync(join(here, "..", "..", "LICENSE"), "utf8")}`;
  const others = [...packages].sort().map((name) => {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const notices = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|third)/i.test(file)).sort();
    const texts = notices.map((file) => readFileSync(join(folder, file), "utf8"));
    const kept = join(here, "licences", `${name}.txt`); // of packages that carry none
    if (texts.length === 0 && existsSync(kept)) texts.push(readFileSync(kept, "utf8"));
    if (texts.length === 0) throw new Error(`${name} (${license}) has no licence: put it into licences/`);
    return `${name} ${version}\n\n${texts.join("\n\n")}`;
  });
  return [own, ...others].join(`\n\n${"-".repeat(100)}\n\n`);
}

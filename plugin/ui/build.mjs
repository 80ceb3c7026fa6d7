// Builds one IIFE bundle per surface and the style sheets, under fixed names, into plugin/static/ui, and writes
// manifest.json: {file: first 12 hex digits of its SHA-256}. `node build.mjs sign` builds that surface alone.
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { build } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const outDir = resolve(here, "../static/ui");
const surfaces = ["sign", "main", "files", "follow", "verify"];
const sheets = ["sign", "host"];
const wanted = process.argv.slice(2);

const common = { root: here, configFile: false, logLevel: "warn", publicDir: false };
const output = { outDir, emptyOutDir: false, target: "es2022", modulePreload: false, reportCompressedSize: false };

mkdirSync(outDir, { recursive: true });
for (const name of surfaces) {
  if (wanted.length && !wanted.includes(name)) continue;
  await build({
    ...common,
    define: { "process.env.NODE_ENV": '"production"' },
    build: {
      ...output,
      lib: { entry: join(here, "src", `${name}.ts`), formats: ["iife"], name: `parapheur_${name}`, fileName: () => `${name}.js` },
    },
  });
}
await build({
  ...common,
  build: {
    ...output,
    cssCodeSplit: true,
    rollupOptions: {
      input: Object.fromEntries(sheets.map((name) => [name, join(here, "src/styles", `${name}.css`)])),
      output: { assetFileNames: "[name][extname]" },
    },
  },
});

// The fonts of typed names lie there already (tools/script_font.py): the sheet names them by their content.
const digest = (file) => createHash("sha256").update(readFileSync(join(outDir, file))).digest("hex").slice(0, 12);
const hand = readFileSync(join(here, "src/styles/hand.css"), "utf8")
  .replace(/url\("([\w.-]+)"\)/g, (_found, file) => `url("${file}?v=${digest(file)}")`);
const minified = await transform(hand, { loader: "css", minify: true, target: ["chrome111", "firefox115", "safari16.4"] });
appendFileSync(join(outDir, "sign.css"), minified.code);

// The sheet for pages that are the host's own: its values, and our rules below our elements alone.
const sheet = (name) => readFileSync(join(here, "src/styles", `${name}.css`), "utf8");
const keyframes = [];
const rules = ["base", "parts", "menu", "paper", "wizard", "placement"]
  .map(sheet)
  .join("\n")
  .replace(/@keyframes[^{]+\{(?:[^{}]*\{[^}]*\})*\s*\}/g, (found) => (keyframes.push(found), ""))
  .replaceAll(":root", "&")
  .replace(/^body\b/gm, "&");
const tokens = sheet("tokens");
const dark = /@media \(prefers-color-scheme: dark\) \{\s*:root (\{[^}]*\})\s*\}/.exec(tokens);
if (!dark) throw new Error("tokens.css has no dark values");
const light = tokens.slice(0, dark.index).replaceAll(":root", "body");
const paper = tokens.slice(dark.index + dark[0].length).replaceAll(":root", "&");
// Before every rule of ours stands an id that nothing has: the host's own rules for buttons and fields lose then.
const below = ":is(parapheur-app, parapheur-panel):not(#_)";
const embedded = `${light}
body { --pf-link: var(--color-primary-element); }
body:is([data-theme-dark], [data-theme-dark-highcontrast]) ${dark[1]}
@media (prefers-color-scheme: dark) { body[data-theme-default] ${dark[1]} }
${keyframes.join("\n")}
parapheur-app.pf-embedded { display: block; flex: 1; width: 100%; height: 100%; overflow: auto; background: var(--color-main-background); border-radius: var(--body-container-radius, 0); }
${below} {
button, input, select, textarea { width: auto; height: auto; min-height: 0; margin: 0; }
select { appearance: auto; }
dt, dd { display: block; width: auto; padding: 0; text-align: start; white-space: normal; }
${rules}
${paper}
.pf-choice input, .pf-seg input { opacity: 0 !important; }
.pf-check input { width: 20px; height: 20px; min-height: 20px; padding: 0; } }`;
const target = ["chrome111", "firefox115", "safari16.4"];
const { code } = await transform(embedded, { loader: "css", minify: true, target });
writeFileSync(join(outDir, "embed.css"), code);

const manifest = {};
for (const file of readdirSync(outDir).sort()) {
  if (!/\.(js|css)$/.test(file)) continue;
  manifest[file] = digest(file);
}
writeFileSync(join(outDir, "manifest.json"), JSON.stringify(manifest, null, 2) + "\n");

// Builds each page into one HTML file in built/: script and style inside, and a place for the data.
// `node build.mjs` builds, `node build.mjs --test` runs the unit tests.
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));

/** What Rust replaces with the data. `view::page::document` looks for exactly this. */
const PLACE = '{"data":null}';

/** The largest page without data, in bytes after gzip. */
const MOST = 40 * 1024;

const PAGES = [
  // A report brings its own policy, because it has no server that could send one.
  { name: "report", title: "ccsession report", policy: true },
  { name: "dashboard", title: "ccsession", policy: false },
  { name: "live-session", title: "ccsession", policy: false },
];

const settings = {
  bundle: true,
  minify: true,
  write: false,
  target: ["chrome111", "firefox113", "safari16.4"],
  // Smaller after gzip than what `jsx: "automatic"` makes.
  jsx: "transform",
  jsxFactory: "h",
  jsxFragment: "Fragment",
  inject: [join(here, "src/jsx.ts")],
  tsconfigRaw: {},
  legalComments: "none",
  charset: "utf8",
  loader: { ".svg": "dataurl" },
  define: { "process.env.NODE_ENV": '"production"' },
};

async function bundle(entry, more = {}) {
  const built = await build({ ...settings, entryPoints: [join(here, entry)], ...more });
  return built.outputFiles[0].text.trim();
}

function hash(text) {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/** The icon: lanes, as in the picture of a session. A page without one makes the browser request it from the server. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%232f5fd0'/%3E%3Cpath d='M4 5h5M7 8h5M4 11h3' stroke='white' stroke-width='2' stroke-linecap='round'/%3E%3C/svg%3E";

async function page({ name, title, policy }) {
  const script = (await bundle(`src/${name}.tsx`, { format: "iife" })).replaceAll("</script", "<\\/script");
  const style = (await bundle(`styles/${name}.css`)).replaceAll(/(--[\w-]+): /g, "$1:");
  const csp = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const meta = policy ? `<meta http-equiv="Content-Security-Policy" content="${csp}">` : "";
  return `<!doctype html><!-- ccsession ${name} -->
<html lang="en"><head><meta charset="utf-8">${meta}
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light dark">
<link rel="icon" href="${ICON}"><title>${title}</title>
<style>${style}</style></head>
<body><div id="app"><noscript>This page needs JavaScript. It loads nothing from other sites.</noscript></div>
<script type="application/json" id="data">${PLACE}</script>
<script>${script}</script></body></html>
`;
}

async function buildAll() {
  for (const one of PAGES) {
    if (!existsSync(join(here, `src/${one.name}.tsx`))) continue;
    const html = await page(one);
    if (html.split(PLACE).length !== 2) throw new Error(`${one.name}: the place of the data must be there once`);
    const size = gzipSync(html, { level: 9 }).length;
    if (size > MOST) throw new Error(`${one.name}: ${size} bytes after gzip, more than ${MOST}`);
    writeFileSync(join(here, `built/${one.name}.html`), html);
    console.log(`built/${one.name}.html: ${html.length} bytes, ${size} after gzip`);
  }
}

async function test() {
  const names = readdirSync(join(here, "src")).filter((name) => name.endsWith(".test.ts"));
  const out = mkdtempSync(join(tmpdir(), "ccsession-web-"));
  try {
    await build({
      ...settings,
      minify: false,
      write: true,
      platform: "node",
      format: "esm",
      target: "node20",
      outdir: out,
      outExtension: { ".js": ".mjs" },
      entryPoints: names.map((name) => join(here, "src", name)),
    });
    const files = names.map((name) => join(out, name.replace(/\.ts$/, ".mjs")));
    const ran = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" });
    process.exitCode = ran.status ?? 1;
  } finally {
    rmSync(out, { recursive: true });
  }
}

await (process.argv.includes("--test") ? test() : buildAll());

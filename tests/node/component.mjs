// The component in Node: transpiled by jco, one fresh instance for each session, as the native host has it.

import { transpileBytes } from "@bytecodealliance/jco-transpile";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tmpdir, userInfo } from "node:os";
import { pathToFileURL } from "node:url";

// Transpiled components are kept by hash, so that only the first of many processes pays for it.
const CACHE = join(tmpdir(), `pillarbox-node-${userInfo().uid}`);

// For each function of an instance jco asks for what this Node may not have, and catches that it is not there. V8 reads
// the whole 2 MB of the module anew to word each of these errors, so that an instance would take 400 ms instead of 3.
// Nothing of ours suspends, so the function itself will do.
WebAssembly.promising ??= (called) => called;

// Loads a component and gives what makes instances of it.
export async function load(file) {
  const directory = await transpiled(file);
  const names = readdirSync(directory);
  const modules = new Map(
    names
      .filter((name) => name.endsWith(".wasm"))
      .map((name) => [name, new WebAssembly.Module(readFileSync(join(directory, name)))]),
  );
  const { instantiate } = await import(pathToFileURL(join(directory, "pillarbox.js")));
  const wide = wideFields(join(directory, "interfaces"));
  return {
    // An empty object for imports: the component has none.
    instance: () => instantiate((name) => modules.get(name), {}),
    toComponent: (value) => toComponent(value, wide),
  };
}

// The folder with what jco makes of a component, as `jco transpile --name pillarbox --instantiation sync` does.
export async function transpiled(file) {
  const octets = readFileSync(file);
  const directory = join(CACHE, createHash("sha256").update(octets).digest("hex"));
  if (!existsSync(directory)) await transpileInto(directory, octets);
  return directory;
}

async function transpileInto(directory, octets) {
  const { files, imports } = await transpileBytes(octets, {
    name: "pillarbox",
    instantiation: "sync",
    wasiShim: false,
    nodejsCompat: false,
  });
  if (imports.length > 0) throw new Error(`the component imports ${imports.join(", ")}`);
  mkdirSync(CACHE, { recursive: true, mode: 0o700 });
  const temporary = mkdtempSync(join(CACHE, "new-"));
  for (const [name, content] of Object.entries(files)) {
    const path = join(temporary, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  // As an ES module whatever the directory above says.
  writeFileSync(join(temporary, "package.json"), '{"type":"module"}');
  try {
    renameSync(temporary, directory);
  } catch (error) {
    // Another process was faster.
    rmSync(temporary, { recursive: true });
    if (!existsSync(directory)) throw error;
  }
}

// Names of fields that are 64 bits wide, by jco's own declarations; JSON cannot tell them from others. So it is with lists of
// numbers wider than octets, which jco takes as typed arrays alone.
function wideFields(directory) {
  const big = new Set();
  const lists = new Map();
  const small = new Set();
  for (const name of readdirSync(directory)) {
    const text = readFileSync(join(directory, name), "utf8");
    for (const [, field, type] of text.matchAll(/^ {2}(\w+)\??: (\w+)/gm)) {
      // What a variant carries is called val in each; the wide ones only come out of the component.
      if (field === "val") continue;
      if (type === "bigint" || type === "BlobId") big.add(field);
      if (type === "number") small.add(field);
      if (LISTS[type]) lists.set(field, LISTS[type]);
    }
  }
  for (const field of big) {
    if (small.has(field)) throw new Error(`field ${field} has two widths; JSON cannot tell which`);
  }
  return { big, lists };
}

const LISTS = { Uint16Array, Uint32Array, BigUint64Array };

// A parsed JSON value in the shapes that jco takes.
function toComponent(value, wide, field) {
  if (value === null) return undefined;
  if (typeof value === "number") return wide.big.has(field) ? BigInt(value) : value;
  if (typeof value === "string" && /^@\d+$/.test(value)) return BigInt(value.slice(1));
  if (Array.isArray(value)) {
    // Elsewhere a list of records may have the same name.
    const List = value.some((item) => typeof item === "object") ? undefined : wide.lists.get(field);
    if (!List) return value.map((item) => toComponent(item, wide));
    return List.from(value, (item) => (List === BigUint64Array ? BigInt(String(item).replace("@", "")) : item));
  }
  if (typeof value === "object") {
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, toComponent(item, wide, name)]),
    );
  }
  return value;
}

// Parses JSON without losing what a double cannot hold: long whole numbers become "@digits".
export function parse(line) {
  return JSON.parse(line.replace(/([:,[])(\d{16,})(?=[,}\]])/g, '$1"@$2"'));
}

// Prints what came from the component: octets and other lists of numbers as such, wide numbers whole.
export function print(value) {
  const text = JSON.stringify(value, (_, item) => {
    if (ArrayBuffer.isView(item)) return Array.from(item);
    return typeof item === "bigint" ? `@${item}` : item;
  });
  return text.replace(/"@(\d+)"/g, "$1");
}

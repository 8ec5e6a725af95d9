// The relay functions in Node give what the library gives, for each case of tests/relay.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { built } from "./built.mjs";
import { load, parse, print } from "./component.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const VECTORS = join(HERE, "../relay");

// The parameters of each function in their order, which only the contract knows: JSON has them by name.
const camel = (name) => name.replace(/-./g, (dash) => dash[1].toUpperCase());
const signatures = readFileSync(join(HERE, "../../wit/relay.wit"), "utf8").matchAll(/^    ([a-z-]+): func\(([^)]*)\)/gm);
const PARAMETERS = new Map(
  [...signatures].map(([, name, list]) => [camel(name), [...list.matchAll(/([a-z-]+):/g)].map(([, word]) => camel(word))]),
);

// Octets are written as text there.
function octets(value) {
  if (Array.isArray(value)) return value.map(octets);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.octets === "string") return [...Buffer.from(value.octets)];
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, octets(item)]));
}

// What is absent on one side is null on the other.
function present(value) {
  if (Array.isArray(value)) return value.map(present);
  if (value === null || typeof value !== "object") return value;
  const there = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(there.map(([name, item]) => [name, present(item)]));
}

test("every relay function gives in Node what it gives natively", async () => {
  const component = await load(built());
  const { relay } = component.instance();
  const vectors = parse(readFileSync(join(VECTORS, "vectors.json"), "utf8"));
  assert.ok(vectors.length > 40);
  for (const { name, function: called, arguments: given, result } of vectors) {
    const values = component.toComponent(octets(given));
    const order = PARAMETERS.get(called);
    assert.deepEqual(Object.keys(given).sort(), [...order].sort(), name);
    const found = relay[called](...order.map((word) => values[word]));
    const plain = parse(print(found ?? null));
    if (plain?.octets) {
      const expected = readFileSync(join(VECTORS, result.octets.file));
      assert.deepEqual(Buffer.from(plain.octets), expected, name);
      plain.octets = result.octets;
    }
    assert.deepEqual(present(plain), present(result), name);
  }
});

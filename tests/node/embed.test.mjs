// The example for programs that host the component themselves, as its own comment says to run it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { built } from "./built.mjs";
import { transpiled } from "./component.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const EXAMPLE = join(HERE, "../../engine/component/examples/receive.mjs");

test("a program of Node receives mail by the component alone", async () => {
  const component = join(await transpiled(built()), "pillarbox.js");
  const said = execFileSync(process.execPath, [EXAMPLE, component], { encoding: "utf8" });
  assert.match(said, /^S: 220 hamburger\.edu /m);
  assert.match(said, /^S: 250 .*\nC: QUIT\nS: 221 /m);
  assert.match(said, /Received: .*\r\nSubject: Ketchup\r\n\r\nDo you like ketchup\?\r\n/s);
});

// Finds the component, for tests that load it.

import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");

// The component that Cargo built, built now if it is not there.
export function built() {
  const cargo = ["build", "--release", "--locked", "-p", "pillarbox-component-binary", "--message-format=json"];
  const options = { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 };
  for (const line of execFileSync("cargo", cargo, options).split("\n")) {
    const message = line.startsWith("{") ? JSON.parse(line) : {};
    const variables = Object.fromEntries(message.env ?? []);
    if (variables.PILLARBOX_COMPONENT_FILE) return variables.PILLARBOX_COMPONENT_FILE;
  }
  throw new Error("cargo did not say where the component is");
}

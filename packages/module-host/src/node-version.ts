/**
 * Imported first by every entry point. It imports nothing itself, so that it runs before any native module, which
 * an older Node would crash on without a word.
 */

/** Ends the process with exit code 78 and one plain sentence when this is not Node 24 or newer. */
export function requireNode24(version: string = process.versions.node): void {
  const sentence = refuseNode(version);
  if (sentence === undefined) return;
  process.stderr.write(`${sentence}\n`);
  process.exit(78);
}

/** What is wrong with this version of Node, or undefined. */
export function refuseNode(version: string): string | undefined {
  if (Number(version.split('.')[0]) >= 24) return undefined;
  return `This is Node ${version}; Holdfast needs Node 24 or newer. In the workspace use "npm run <task>" or "npx node <file>", which bring it.`;
}

requireNode24();

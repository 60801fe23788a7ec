// The version first: with an older Node the native database module ends the process without a word.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `Holdfast needs Node 24 or later, this is ${process.version}: use "npm run edge", which brings its own.\n`,
  );
  process.exit(1);
}

const { run } = await import('./cli/run.ts');
const { processTerminal } = await import('./cli/process-terminal.ts');
process.exitCode = await run(process.argv.slice(2), processTerminal());

/** `npm run model -- <command>`: makes, signs, checks and moves model bundles. One file a command in scripts/model. */
import type { Terminal } from './model/command.ts';
import { run } from './model/run.ts';

// npm runs scripts in the root of the checkout; paths on the command line are meant from where the user stands.
const { npm_lifecycle_event: script, INIT_CWD: from } = process.env;
if (script === 'model' && from !== undefined) process.chdir(from);

const terminal: Terminal = {
  out: (line) => process.stdout.write(`${line}\n`),
  error: (line) => process.stderr.write(`${line}\n`),
  redraw: process.stderr.isTTY ? (text) => process.stderr.write(`\r\u001b[K${text}`) : undefined,
  environment: process.env,
};

process.exitCode = await run(process.argv.slice(2), terminal);

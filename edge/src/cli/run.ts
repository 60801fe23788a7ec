import { askEdge } from './ask-edge.ts';
import { COMMAND_HELP, HELP } from './help.ts';
import { makeManifest } from './make-manifest.ts';
import type { Terminal } from './terminal.ts';
import { up } from './up.ts';
import { validate } from './validate.ts';

type Command = (args: readonly string[], terminal: Terminal) => Promise<number> | number;

const commands: Readonly<Record<string, Command>> = {
  up,
  manifest: makeManifest,
  validate,
  ...Object.fromEntries(
    ['ps', 'logs', 'method', 'twin', 'link', 'restart'].map((name) => [
      name,
      (args: readonly string[], terminal: Terminal) => askEdge(name, args, terminal),
    ]),
  ),
};

/** Runs one command. Returns the exit code: 0 well, 1 refused or failed, 2 wrong command line. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...args] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.out(name === 'help' ? (COMMAND_HELP[args[0] ?? ''] ?? HELP) : HELP);
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    terminal.error(`There is no command ${name}, only ${Object.keys(commands).join(', ')}.`);
    return 2;
  }
  if (args.includes('--help') || args.includes('-h')) {
    terminal.out(COMMAND_HELP[name] ?? HELP);
    return 0;
  }
  try {
    return await command(args, terminal);
  } catch (error) {
    return report(error, name, terminal);
  }
}

function report(error: unknown, name: string, terminal: Terminal): number {
  const { code, message } = error as { code?: string; message: string };
  if (!code?.startsWith('EDGE_')) throw error;
  terminal.error(message);
  if (code !== 'EDGE_USAGE') return 1;
  terminal.error(`npm run edge -- ${name} --help shows what is allowed.`);
  return 2;
}

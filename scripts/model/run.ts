import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { isBundleError, isKeyError, isSourceError } from '@holdfast/model-bundle';
import { type Command, EXIT, type Run, type Terminal, UsageError } from './command.ts';
import { COMMANDS } from './commands.ts';
import { Progress } from './progress.ts';

const OPTIONS: ParseArgsOptionsConfig = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
};

/** Runs `npm run model -- <argv>`; resolves with the exit code. Never rejects. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const about = COMMANDS.find((command) => command.name === rest[0]);
    terminal.out(about === undefined ? overview() : helpOf(about));
    return name === undefined ? EXIT.usage : EXIT.done;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const known = COMMANDS.map((candidate) => candidate.name).join(', ');
    terminal.error(`There is no command "${name}". There are: ${known}.`);
    return EXIT.usage;
  }
  const json = rest.includes('--json');
  try {
    return await runCommand(command, rest, terminal);
  } catch (error) {
    return tell(error, command, terminal, json);
  }
}

async function runCommand(
  command: Command,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const { values, positionals } = parsed(command, argv);
  if (values.help === true) {
    terminal.out(helpOf(command));
    return EXIT.done;
  }
  const { min, max } = command.positionals;
  if (positionals.length < min || positionals.length > max) {
    const count = min === max ? `${min}` : `${min} to ${max}`;
    throw new UsageError(`takes ${count} arguments, not ${positionals.length}`);
  }
  const progress = new Progress(terminal);
  try {
    const result = await command.run(runOf(values, positionals, terminal, progress));
    progress.end();
    if (values.json === true) terminal.out(JSON.stringify(result, null, 2));
    else command.show(result as never, terminal);
  } finally {
    progress.end();
  }
  return EXIT.done;
}

type Values = Record<string, string | boolean | (string | boolean)[] | undefined>;

function parsed(command: Command, argv: readonly string[]) {
  try {
    const options = { ...command.options, ...OPTIONS };
    const { values, positionals } = parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
      strict: true,
    });
    return { values: values as Values, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

const runOf = (
  values: Values,
  positionals: string[],
  terminal: Terminal,
  progress: Progress,
): Run => ({
  terminal,
  positionals,
  text: (name) => values[name] as string | undefined,
  list: (name) => (values[name] ?? []) as string[],
  flag: (name) => values[name] === true,
  progress: (what, done, total) => progress.tell(what, done, total),
});

function tell(error: unknown, command: Command, terminal: Terminal, json: boolean): number {
  const message = (error as Error).message;
  if (error instanceof UsageError) {
    terminal.error(`model ${command.name}: ${message}`);
    terminal.error(`Usage: npm run model -- ${command.name} ${command.usage}`);
    return EXIT.usage;
  }
  const unfit = isSourceError(error) && (error.retry === 'never' || error.code === 'SOURCE_DIGEST');
  const refused = isBundleError(error) || isKeyError(error) || unfit;
  if (json) {
    const code = (error as { code?: unknown }).code;
    const problems = isBundleError(error) ? error.problems : [];
    terminal.out(JSON.stringify({ error: { code, message, problems } }, null, 2));
  }
  terminal.error(refused ? message : `model ${command.name} failed: ${message}`);
  return refused ? EXIT.refused : EXIT.failed;
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'Usage: npm run model -- <command> [options]',
    '',
    'Makes, signs, checks and moves model bundles.',
    '',
    ...lines,
    '',
    `npm run model -- <command> --help tells more. --json prints results and errors as JSON.`,
    'Exit codes: 0 done, 1 refused, 2 wrong command line, 3 a file or the network failed.',
  ].join('\n');
}

const helpOf = (command: Command): string =>
  `Usage: npm run model -- ${command.name} ${command.usage}\n\n${command.help}`;

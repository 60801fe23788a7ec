import { parseArgs } from 'node:util';

export interface DemoOptions {
  seconds: number;
  rate: number;
  seed: number;
  chaos: boolean;
  keep: boolean;
  json: boolean;
  inputs: string[];
  map: string | undefined;
}

export const HELP = `Usage: npm run demo -- [options]

Runs a whole site on this machine: storage (Azurite), the local edge with the modules ingest,
inference and forwarder, and a simulated pump loop. Cuts the link to the cloud, restores it,
reads back every blob and accounts for every reading. Exits 0 only if all of it holds.

  --seconds <n>     how long readings are fed (default 40; 5 to 86400). The link is down from a
                    quarter to six tenths of that time.
  --rate <n>        readings fed a second, all assets together (default 2000; 1 to 50000)
  --seed <n>        seed of simulator, faults and chaos (default 1)
  --chaos           kill modules and the hub at random with SIGKILL while it runs
  --input <path>    feed a CSV file, or all CSV files of a folder, instead of the simulator;
                    may be given several times. Each file is an asset of its own.
  --map <json>      how to read the CSV, as JSON text or a JSON file:
                    {"delimiter":";","time":"<column>","asset":"<column>",
                     "signals":{"<column>":"<signal>"},"labels":[],"ignored":[]}
                    What is not given is guessed from the header and shown.
  --keep            stay up afterwards and print the URLs, until Ctrl-C
  --json            print one JSON object as the last line
  --help            this text
`;

/** @returns the options, or what is wrong with them as lines for the user. */
export function parseOptions(
  argv: readonly string[],
): DemoOptions | { help: true } | { problems: string[] } {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(argv);
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)] };
  }
  if (values.help) return { help: true };
  const problems: string[] = [];
  const whole = (name: 'seconds' | 'rate' | 'seed', least: number, most: number): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least || value > most) {
      problems.push(
        `--${name}: ${values[name]} is not allowed, must be a whole number from ${least} to ${most}`,
      );
    }
    return value;
  };
  const options: DemoOptions = {
    seconds: whole('seconds', 5, 86_400),
    rate: whole('rate', 1, 50_000),
    seed: whole('seed', 0, 2 ** 31 - 1),
    chaos: values.chaos,
    keep: values.keep,
    json: values.json,
    inputs: values.input,
    map: values.map,
  };
  if (options.map !== undefined && options.inputs.length === 0) {
    problems.push('--map: is of use only together with --input');
  }
  return problems.length > 0 ? { problems } : options;
}

const parse = (argv: readonly string[]) =>
  parseArgs({
    args: [...argv],
    options: {
      seconds: { type: 'string', default: '40' },
      rate: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '1' },
      chaos: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      input: { type: 'string', multiple: true, default: [] },
      map: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values;

import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { planFaults, SIGNALS, simulate } from './index.ts';

const HELP = `Writes rows of simulated pump loops as CSV.

Usage: node scenarios/pump-loop/src/main.ts [options]

  --assets <n>      how many pumps, 1 to 1000 (default 4)
  --seconds <n>     rows a pump, one a second (default 3600)
  --seed <n>        the same seed gives the same rows (default 1)
  --start <time>    time of the first row, ISO 8601 (default 2026-01-01T00:00:00Z)
  --faults <n>      inject so many faults, kind after kind; adds a column "fault" (default 0)
  --out <file>      write there instead of to standard output
  --help            show this
`;

const { values: options } = parseArgs({
  options: {
    assets: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '3600' },
    seed: { type: 'string', default: '1' },
    start: { type: 'string', default: '2026-01-01T00:00:00Z' },
    faults: { type: 'string', default: '0' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  process.stderr.write(
    `--${name}: ${text} is not allowed, must be a whole number from ${min} to ${max}\n`,
  );
  process.exit(2);
}

if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const run = {
  seed: wholeNumber('seed', options.seed, 0, 2 ** 31),
  assets: wholeNumber('assets', options.assets, 1, 1_000),
  seconds: wholeNumber('seconds', options.seconds, 1, 31_536_000),
  startMs: Date.parse(options.start),
};
if (Number.isNaN(run.startMs)) {
  process.stderr.write(`--start: ${options.start} is not allowed, must be a time in ISO 8601\n`);
  process.exit(2);
}
const count = wholeNumber('faults', options.faults, 0, 10_000);
const faults = planFaults({ ...run, count });
if (faults.length < count) {
  process.stderr.write(`--faults: ${count} do not fit into ${run.seconds} seconds\n`);
  process.exit(2);
}
const faultAt = (asset: string, t: number): string =>
  faults.find((fault) => fault.asset === asset && t >= fault.startMs && t < fault.endMs)?.kind ??
  '';

const out = options.out === undefined ? process.stdout : createWriteStream(options.out);
out.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
out.write(`${['asset', 'time', ...SIGNALS, ...(count > 0 ? ['fault'] : [])].join(',')}\n`);
for (const { asset, t, values } of simulate({ ...run, faults })) {
  const cells = [asset, new Date(t).toISOString(), ...SIGNALS.map((signal) => values[signal])];
  if (count > 0) cells.push(faultAt(asset, t));
  const line = `${cells.map((cell) => cell ?? '').join(',')}\n`;
  if (!out.write(line)) await new Promise<void>((resolve) => out.once('drain', () => resolve()));
}
if (out !== process.stdout) {
  out.end();
  await finished(out);
}

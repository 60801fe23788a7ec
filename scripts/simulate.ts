/**
 * `npm run simulate`: the whole site in one process, under a clock, a network and disks that one seed drives, compared
 * with a small reference model. See test/simulation/world.ts.
 */
import { parseArgs } from 'node:util';
import knownSeeds from '../test/simulation/seeds.json' with { type: 'json' };
import { Violation, World } from '../test/simulation/world.ts';

const HELP = `Usage: npm run simulate -- [options]

Runs ingest, inference and forwarder with their real code and databases in one process. One seed drives the clock, the
network, the disks, the store and everything that goes wrong. A failure prints the command that repeats it.

  --seed <n>     first seed (default 1)
  --steps <n>    steps in all (default 20,000)
  --world <n>    steps of one world; each world has the next seed (default 10,000)
  --known        first the seeds that have found something before (test/simulation/seeds.json)
  --log          print the logs of the modules of a world that failed
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '20000' },
    world: { type: 'string', default: '10000' },
    known: { type: 'boolean', default: false },
    log: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

function wholeNumber(name: 'seed' | 'steps' | 'world'): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= (name === 'seed' ? 0 : 1)) return value;
  console.error(`--${name} must be a whole number, not ${values[name]}`);
  process.exit(2);
}

interface Run {
  seed: number;
  steps: number;
}

/** One world for each seed; the last one may be shorter. */
function* runsOf(): Generator<Run> {
  if (values.known) yield* knownSeeds as Run[];
  let seed = wholeNumber('seed');
  const worldSteps = wholeNumber('world');
  for (let left = wholeNumber('steps'); left > 0; left -= worldSteps) {
    yield { seed, steps: Math.min(left, worldSteps) };
    seed += 1;
  }
}

async function main(): Promise<void> {
  const total = { worlds: 0, steps: 0, kills: 0, readings: 0, blobs: 0, commits: 0 };
  const startedAt = performance.now();
  const runs = [...runsOf()];
  for (const { seed, steps } of runs) {
    const world = new World(seed);
    try {
      await world.run(steps);
    } catch (error) {
      if (values.log) console.error(world.lines.join('\n'));
      const text = error instanceof Violation ? error.message : (error as Error).stack;
      console.error(`seed ${seed}, after ${world.counts.steps} steps: ${text}`);
      console.error(
        `repeat: npm run simulate -- --seed ${seed} --steps ${steps} --world ${steps} --log`,
      );
      process.exit(1);
    }
    total.worlds += 1;
    for (const name of ['steps', 'kills', 'readings', 'blobs', 'commits'] as const) {
      total[name] += world.counts[name];
    }
    if (process.stderr.isTTY) {
      const share = Math.floor((total.worlds / runs.length) * 100);
      process.stderr.write(`\r${share} % (${total.steps.toLocaleString('en-US')} steps)`);
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\n');
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(JSON.stringify({ ...total, seconds: Math.round(seconds * 10) / 10 }));
}

if (values.help) process.stdout.write(HELP);
else await main();

/**
 * `npm run test:faults`: breaks the system in every way that `test/faults` knows and checks that the promise holds.
 * Each failure prints the command that repeats it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { seeded } from '@holdfast/testkit';
import type { Plant } from '../test/faults/plants/plant.ts';
import { type Counts, FaultFound, type Scenario, TOPICS } from '../test/faults/scenario.ts';
import { SCENARIOS } from '../test/faults/scenarios.ts';
import { mergeResults, type Result } from './faults/results.ts';

const HELP = `Usage: npm run test:faults -- [options]

Without options: each scenario once, in its short form. A failure prints the seed that repeats it.

  --list             names of all scenarios and what they do
  --only <text>      scenarios whose name begins so; may be given several times
  --seed <n>         seed of the first round (default 1)
  --minutes <n>      the long form: rounds with ever new seeds, all scenarios in turn, until the time is over
  --plants           the test of the tests: plants each known bug and expects its scenario to turn red
  --keep             keep the folder of a failed round
  --results <file>   write the results as JSON, in place of earlier ones of the same scenarios
`;

const { values } = parseArgs({
  options: {
    list: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    plants: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    results: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const firstSeed = wholeNumber('seed', values.seed);
const minutes = values.minutes === undefined ? undefined : wholeNumber('minutes', values.minutes);

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  console.error(`--${name} must be a whole number, not ${text}`);
  process.exit(2);
}

function selected(): Scenario[] {
  const { only } = values;
  const found = SCENARIOS.filter(
    ({ name }) => only === undefined || only.some((text) => name.startsWith(text)),
  );
  if (found.length > 0) return found;
  console.error(`No scenario begins with ${only?.join(' or ')}; --list shows them all.`);
  process.exit(2);
}

/** One round in a folder of its own. */
async function round(
  scenario: Scenario,
  options: { seed: number; size: 'short' | 'long'; plant?: Plant },
): Promise<Result> {
  const { seed, size, plant } = options;
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-faults-'));
  const startedAt = performance.now();
  let outcome: Result['outcome'] = 'passed';
  let detail: string | undefined;
  let counts: Counts = {};
  try {
    counts = await scenario.run({
      ...{ seed, size, folder, plant },
      random: seeded(seed),
      signal: stop.signal,
      say: (line) => console.log(`      ${line}`),
    });
  } catch (error) {
    outcome = 'failed';
    detail =
      error instanceof FaultFound
        ? error.message
        : `the harness failed: ${error instanceof Error ? error.stack : String(error)}`;
  }
  if (outcome === 'passed' || plant !== undefined || !values.keep) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  } else detail = `${detail}\nkept: ${folder}`;
  // A result with a plant is kept in the docs, where a folder of this machine says nothing.
  if (plant !== undefined) detail = detail?.replaceAll(folder, '<folder>');
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    scenario: scenario.name,
    ...(plant === undefined ? {} : { plant: plant.name }),
    ...{ seed, size, outcome, seconds, rounds: 1, counts: { ...counts } },
    ...(detail === undefined ? {} : { detail }),
  };
}

const show = (counts: Counts): string =>
  Object.entries(counts)
    .map(([name, value]) => `${value.toLocaleString('en-US')} ${name}`)
    .join(', ');

function report(result: Result): void {
  const { scenario, seed, outcome, seconds, counts, detail } = result;
  const what = outcome === 'skipped' ? `skipped: ${detail}` : show(counts);
  console.log(`${outcome.padEnd(7)} ${scenario} (seed ${seed}, ${seconds.toFixed(1)} s) ${what}`);
  if (outcome !== 'failed') return;
  console.error(`${detail}\nrepeat: npm run test:faults -- --only ${scenario} --seed ${seed}`);
}

async function runRounds(scenarios: readonly Scenario[]): Promise<Result[]> {
  const results: Result[] = [];
  const able: Scenario[] = [];
  for (const scenario of scenarios) {
    const reason = await scenario.unavailable?.();
    if (reason === undefined) able.push(scenario);
    else results.push(skipped(scenario, reason));
  }
  for (const result of results) report(result);
  const endAt = performance.now() + (minutes ?? 0) * 60_000;
  const size = minutes === undefined ? 'short' : 'long';
  let seed = firstSeed;
  do {
    for (const scenario of able) {
      if (stop.signal.aborted) break;
      const result = await round(scenario, { seed, size });
      report(result);
      add(results, result);
      if (minutes !== undefined && performance.now() > endAt) break;
    }
    seed += 1;
  } while (performance.now() < endAt && !stop.signal.aborted);
  return results;
}

const skipped = (scenario: Scenario, detail: string): Result => ({
  scenario: scenario.name,
  ...{
    seed: firstSeed,
    size: 'short',
    outcome: 'skipped',
    seconds: 0,
    rounds: 0,
    counts: {},
    detail,
  },
});

/** Rounds of one scenario are summed; a failure stays. */
function add(results: Result[], next: Result): void {
  const known = results.find(({ scenario }) => scenario === next.scenario);
  if (known === undefined) {
    results.push(next);
    return;
  }
  known.rounds += 1;
  known.seconds += next.seconds;
  for (const [name, value] of Object.entries(next.counts)) {
    known.counts[name] = (known.counts[name] ?? 0) + value;
  }
  if (next.outcome === 'failed' && known.outcome !== 'failed') {
    Object.assign(known, { outcome: 'failed', seed: next.seed, detail: next.detail });
  }
}

/** Each bug must turn its scenario red within a few seeds, and by a check, not by a crash of the harness. */
async function runPlants(scenarios: readonly Scenario[]): Promise<Result[]> {
  const results: Result[] = [];
  for (const scenario of scenarios) {
    const reason = await scenario.unavailable?.();
    if (reason !== undefined) {
      results.push(skipped(scenario, reason));
      continue;
    }
    for (const plant of scenario.plants) {
      let seen: Result | undefined;
      for (let seed = firstSeed; seed < firstSeed + 3 && seen?.outcome !== 'failed'; seed += 1) {
        if (stop.signal.aborted) return results;
        seen = await round(scenario, { seed, size: 'short', plant });
      }
      if (seen === undefined) continue;
      const harness = seen.detail?.startsWith('the harness failed') === true;
      const red = seen.outcome === 'failed' && !harness;
      const detail = (seen.detail ?? 'everything held: the check does not see it').split('\n')[0];
      console.log(
        `${red ? 'red, as it must be' : 'NOT SEEN'}: ${scenario.name} with ${plant.name} (seed ${seen.seed}): ${harness ? seen.detail : detail}`,
      );
      results.push({ ...seen, outcome: red ? 'passed' : 'failed', ...(detail && { detail }) });
    }
  }
  return results;
}

function list(): void {
  for (const topic of TOPICS) {
    for (const { name, fault, holds, plants } of SCENARIOS.filter((one) => one.topic === topic)) {
      console.log(`${name}\n  ${fault}\n  must hold: ${holds}`);
      console.log(`  planted bugs: ${plants.map((plant) => plant.name).join(', ')}`);
    }
  }
}

if (values.help) process.stdout.write(HELP);
else if (values.list) list();
else {
  const scenarios = selected();
  const results = values.plants ? await runPlants(scenarios) : await runRounds(scenarios);
  if (values.results !== undefined) mergeResults(values.results, results);
  const count = (outcome: Result['outcome']): number =>
    results.filter((result) => result.outcome === outcome).length;
  console.log(`${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`);
  // A handle that a scenario left open must not stop the machine.
  process.exit(count('failed') === 0 ? 0 : 1);
}

/**
 * `node scripts/testing-doc.ts [--check]`: writes the tables of docs/testing.md from the scenarios themselves and from
 * the results that `npm run test:faults -- --results` has kept.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Scenario, TOPICS, type Topic } from '../test/faults/scenario.ts';
import { SCENARIOS } from '../test/faults/scenarios.ts';
import { type KeptResult, readResults } from './faults/results.ts';
import { ROOT } from './steps.ts';

const FILE = path.join(ROOT, 'docs/testing.md');
const ROUNDS = path.join(ROOT, 'docs/testing/rounds.json');
const PLANTS = path.join(ROOT, 'docs/testing/plants.json');

const TITLES: Readonly<Record<Topic, string>> = {
  kills: 'Killed processes',
  power: 'Power cuts',
  'disk-full': 'Full and failing disks',
  damage: 'Damaged stores',
  links: 'Links and clocks',
  upgrade: 'Upgrade and downgrade',
  caps: 'Limits of disk space',
  simulation: 'Simulation',
};

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function faultsOf(scenarios: readonly Scenario[], results: readonly KeptResult[]): string {
  return TOPICS.flatMap((topic) => {
    const own = scenarios.filter((scenario) => scenario.topic === topic);
    if (own.length === 0) return [];
    const rows = own.map(({ name, fault, holds }) => {
      const result = results.find(({ scenario }) => scenario === name);
      return `| \`${name}\` | ${cell(fault)} | ${cell(holds)} | ${lastOf(result)} |`;
    });
    const head = '| scenario | what is done | what must hold | last result |\n|---|---|---|---|';
    return [`### ${TITLES[topic]}\n\n${head}\n${rows.join('\n')}`];
  }).join('\n\n');
}

function lastOf(result: KeptResult | undefined): string {
  if (result === undefined) return 'not run yet';
  const { date, outcome, rounds, size, seconds, counts, detail = '' } = result;
  if (outcome === 'skipped') return `${date}: skipped, ${cell(detail)}`;
  const found = Object.entries(counts).map(
    ([name, count]) => `${count.toLocaleString('en-US', { maximumFractionDigits: 1 })} ${name}`,
  );
  const times = `${rounds} ${size} ${rounds === 1 ? 'round' : 'rounds'}, ${Math.round(seconds)} s`;
  return `${date}: ${outcome}; ${times}; ${cell(found.join(', '))}`;
}

function plantsOf(scenarios: readonly Scenario[], results: readonly KeptResult[]): string {
  const rows = scenarios.flatMap(({ name, plants }) =>
    plants.map((plant) => {
      const result = results.find((one) => one.scenario === name && one.plant === plant.name);
      const seen = result === undefined ? 'not tried yet' : seenOf(result);
      return `| \`${name}\` | ${plant.name} | \`${plant.file}\` | ${seen} |`;
    }),
  );
  return `| scenario | bug | file | last seen as |\n|---|---|---|---|\n${rows.join('\n')}`;
}

const DETAIL_MAX = 220;

function seenOf({ date, outcome, detail = '' }: KeptResult): string {
  const short = detail.length > DETAIL_MAX ? `${detail.slice(0, DETAIL_MAX)} …` : detail;
  return `${date}: ${outcome === 'passed' ? 'red' : 'NOT SEEN'}: ${cell(short)}`;
}

function between(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/testing.md has no ${begin} ... ${end}`);
  return `${text.slice(0, from)}${begin}\n\n${content}\n\n${text.slice(to)}`;
}

const text = readFileSync(FILE, 'utf8');
const faults = between(text, 'faults', faultsOf(SCENARIOS, readResults(ROUNDS)));
const wanted = between(faults, 'plants', plantsOf(SCENARIOS, readResults(PLANTS)));
if (wanted !== text) {
  if (process.argv.includes('--check')) {
    console.error('docs/testing.md is not up to date: write it with node scripts/testing-doc.ts');
    process.exitCode = 1;
  } else writeFileSync(FILE, wanted);
}
process.exit();

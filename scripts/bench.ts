/**
 * `npm run bench`: what this machine does, each figure beside the limit of its stage measured in the same run, since
 * absolute numbers of two machines or two hours cannot be compared.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { backlogPlots, backlogTables, measureBacklog } from './bench/backlog.ts';
import { type Bench, buildBundles } from './bench/fresh-site.ts';
import { commit, machine } from './bench/machine.ts';
import type { Plot } from './bench/plot.ts';
import { profileTables } from './bench/profile.ts';
import { type Results, type Section, type Table, tableText } from './bench/report.ts';
import { measureSlowDisk, slowDiskTables } from './bench/slow-disk.ts';
import { measureStages, type Stages, stagesTable } from './bench/stages.ts';
import { measureSweep, sweepPlots, sweepTables } from './bench/sweep.ts';
import { measureWholePath, wholePathTables } from './bench/whole-path.ts';

const HELP = `Usage: npm run bench -- [options]

Measures the stages alone, each beside its own limit, then a whole site with everything durable: one process a module,
hub over TLS. Without options: stages and site, about three minutes.

  --all              every section, about twelve minutes
  --sweep            also readings a post, assets and signals
  --backlog          also up to ten million readings that wait
  --slow-disk        also disks whose sync takes 5 and 20 ms longer (Linux, a C compiler)
  --profile          also the functions that take the most time under load
  --only <section>   only this: stages, site, sweep, backlog, slow-disk, profile; may be given several times
  --quick            a few seconds each, for a first look
  --results <file>   write the results as JSON, for scripts/benchmarks-doc.ts
  --json             print the results as one line of JSON at the end
`;

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    sweep: { type: 'boolean', default: false },
    backlog: { type: 'boolean', default: false },
    'slow-disk': { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    results: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

let stages: Stages | undefined;

/** In the order in which they run and stand in the document. */
const SECTIONS: {
  id: string;
  title: string;
  /** Also without being asked for. */
  usual: boolean;
  measure(bench: Bench): Promise<{ tables: Table[]; plots?: Plot[] }>;
}[] = [
  {
    id: 'stages',
    title: 'Stages and their limits',
    usual: true,
    measure: async ({ seconds, say }) => {
      stages = await measureStages(Math.min(2, seconds / 5), say);
      return { tables: [stagesTable(stages)] };
    },
  },
  {
    id: 'site',
    title: 'The whole path',
    usual: true,
    measure: async (bench) => ({
      tables: wholePathTables(await measureWholePath(bench), stages?.slowest),
    }),
  },
  {
    id: 'sweep',
    title: 'How load changes it',
    usual: false,
    measure: async (bench) => {
      const sweep = await measureSweep(bench);
      return { tables: sweepTables(sweep), plots: sweepPlots(sweep) };
    },
  },
  {
    id: 'backlog',
    title: 'How a backlog changes it',
    usual: false,
    measure: async (bench) => {
      const backlog = await measureBacklog(bench, values.quick);
      return { tables: backlogTables(backlog), plots: backlogPlots(backlog) };
    },
  },
  {
    id: 'slow-disk',
    title: 'How a slow disk changes it',
    usual: false,
    measure: async (bench) => ({ tables: slowDiskTables(await measureSlowDisk(bench)) }),
  },
  {
    id: 'profile',
    title: 'Where the time goes',
    usual: false,
    measure: async (bench) => ({ tables: await profileTables(bench) }),
  },
];

/** Ids of the sections that were asked for. */
function wanted(): string[] {
  const { only } = values;
  const ids = SECTIONS.map(({ id }) => id);
  const unknown = only?.filter((id) => !ids.includes(id)) ?? [];
  if (unknown.length > 0) {
    throw new Error(`--only ${unknown.join(', ')} is not a section; there are ${ids.join(', ')}`);
  }
  return SECTIONS.filter(({ id, usual }) =>
    only === undefined
      ? values.all || usual || values[id as 'sweep' | 'backlog' | 'slow-disk' | 'profile']
      : only.includes(id),
  ).map(({ id }) => id);
}

async function main(): Promise<void> {
  const ids = wanted();
  const startedAt = performance.now();
  const sofar = (): string => `${Math.round((performance.now() - startedAt) / 1000)} s`;
  const bench: Bench = {
    seconds: values.quick ? 5 : 15,
    say: (line) => console.error(`[${sofar()}] ${line}`),
    bundles: ids.some((id) => id !== 'stages') ? await buildBundles() : '',
  };
  const results: Results = {
    v: 1,
    date: new Date().toISOString(),
    commit: commit(),
    quick: values.quick,
    machine: machine(),
    sections: [],
  };
  for (const { id, title, measure } of SECTIONS) {
    if (!ids.includes(id)) continue;
    const from = performance.now();
    const { tables, plots } = await measure(bench);
    const seconds = (performance.now() - from) / 1000;
    const section: Section = { id, title, seconds, tables, ...(plots && { plots }) };
    results.sections.push(section);
    console.log(`\n${title}\n`);
    for (const table of tables) console.log(`${tableText(table)}\n`);
    if (values.results !== undefined) write(values.results, results);
  }
  console.error(`[${sofar()}] done`);
  if (values.json) console.log(JSON.stringify(results));
}

/** After each section, so that an end before the last leaves what there is. */
function write(file: string, results: Results): void {
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
}

if (values.help) process.stdout.write(HELP);
else {
  try {
    await main();
    // Clients of the bare limits may still hold a socket.
    process.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

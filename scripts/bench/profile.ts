import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { benchPages, type PageFigures } from '../../modules/forwarder/bench/pages.bench.ts';
import { type Bench, onFreshSite } from './fresh-site.ts';
import type { Table } from './report.ts';
import { BATCHED, SINGLES, siteRun } from './site-runs.ts';

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string };
}

interface Profile {
  nodes: ProfileNode[];
  samples: number[];
  timeDeltas: number[];
}

interface HotFunction {
  name: string;
  selfUs: number;
}

const PROCESSES = ['ingest', 'edgeHub', 'inference', 'forwarder'];
const SHOWN = 6;

/** Time at the start of a process that is not looked at: loading and compiling. */
const START_US = 4_000_000;

/** The functions of each process that have the most time of their own, under batched and under single posts. */
export async function profileTables(bench: Bench): Promise<Table[]> {
  const tables: Table[] = [];
  for (const [name, load] of [
    ['batched posts', BATCHED],
    ['single posts', SINGLES],
  ] as const) {
    bench.say(`profiles under ${name}`);
    const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-profile-'));
    const environment = () =>
      Object.fromEntries(
        PROCESSES.map((id) => [
          id,
          { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder} --cpu-prof-name=${id}.cpuprofile` },
        ]),
      );
    await onFreshSite(
      bench,
      (site) => siteRun(site, { ...load, seconds: bench.seconds, readings: 0 }),
      {
        environment,
      },
    );
    tables.push({
      title: `Functions with the most time of their own, ${name}`,
      note: 'Samples of wall time that were not idle: a wait for the disk inside a commit counts, sleeping for work does not.',
      columns: ['process', 'function', 'share of its time'],
      rows: PROCESSES.flatMap((id) =>
        hottest(readProfile(folder, id)).map(({ name: text, share }) => [
          id,
          text,
          `${(share * 100).toFixed(1)} %`,
        ]),
      ),
    });
    rmSync(folder, { recursive: true, force: true });
  }
  tables.push(pagesTable(await benchPages()));
  return tables;
}

/** Tables and indexes that are named; what is below is one page or so each. */
const TREES_SHOWN = 8;

function pagesTable(figures: PageFigures[]): Table {
  const rest = figures.slice(TREES_SHOWN);
  const sum = (of: readonly PageFigures[], key: 'pagesAMessage' | 'bytesAReading'): number =>
    of.reduce((total, figure) => total + figure[key], 0);
  const row = (name: string, of: readonly PageFigures[]) => [
    name,
    sum(of, 'pagesAMessage'),
    sum(of, 'bytesAReading'),
  ];
  return {
    title: 'Where the bytes of the forwarder go, before anything is uploaded',
    note: 'Pages in the write-ahead log for a message of 2,600 rows of two assets, one transaction. SQLite writes whole pages, so a table that gets one row costs as much as one that gets ten.',
    columns: ['table or index', 'pages a message', 'bytes a reading'],
    rows: [
      ...figures.slice(0, TREES_SHOWN).map((figure) => row(figure.name, [figure])),
      row(`${rest.length} others`, rest),
      row('all', figures),
    ],
  };
}

function readProfile(folder: string, id: string): Profile {
  const file = readdirSync(folder).find((name) => name.startsWith(id));
  if (file === undefined) throw new Error(`${id} has left no profile`);
  return JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as Profile;
}

function hottest({ nodes, samples, timeDeltas }: Profile): { name: string; share: number }[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const self = new Map<string, HotFunction>();
  let passedUs = 0;
  let busyUs = 0;
  for (const [index, id] of samples.entries()) {
    const us = timeDeltas[index] ?? 0;
    passedUs += us;
    const frame = byId.get(id)?.callFrame;
    if (passedUs < START_US || frame === undefined || frame.functionName === '(idle)') continue;
    busyUs += us;
    const name = nameOf(frame);
    const known = self.get(name) ?? { name, selfUs: 0 };
    known.selfUs += us;
    self.set(name, known);
  }
  return [...self.values()]
    .sort((a, b) => b.selfUs - a.selfUs)
    .slice(0, SHOWN)
    .map(({ name, selfUs }) => ({ name, share: selfUs / busyUs }));
}

/** Function and file; a bundle is one file, so its name says nothing. */
function nameOf({ functionName, url }: ProfileNode['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  const file = url.split('/').at(-1) ?? '';
  return file === '' || file === 'main.js' ? name : `${name}, ${file}`;
}

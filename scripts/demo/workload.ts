import { existsSync, readFileSync } from 'node:fs';
import { type Fault, planFaults, simulate } from '@holdfast/pump-loop';
import {
  describeTableMap,
  findTables,
  mapOf,
  readRows,
  type TableFile,
  type TableMap,
} from '@holdfast/replay';
import type { DemoOptions } from './options.ts';
import type { SourceRow } from './source.ts';

/** What the demo feeds. */
export interface Workload {
  /** Lines that say what it is. */
  description: string[];
  assets: number;
  /** Undefined when it is only known at the end. */
  rowCount: number | undefined;
  rows(): AsyncIterable<SourceRow> | Iterable<SourceRow>;
  /** Faults that were injected; empty for real data. */
  faults: readonly Fault[];
}

const PUMP_LOOPS = 8;

/** The seeded pump loops, or the CSV files that the user named. @throws Error with a sentence for the user. */
export function createWorkload(options: DemoOptions, nowMs: number): Promise<Workload> {
  return options.inputs.length > 0
    ? replayWorkload(options)
    : Promise.resolve(pumpWorkload(options, nowMs));
}

function pumpWorkload(options: DemoOptions, nowMs: number): Workload {
  const seconds = Math.ceil((options.rate * options.seconds) / PUMP_LOOPS);
  // Readings come faster than one a second and asset, so their clock starts in the past and ends about now.
  const startMs = Math.floor(nowMs / 60_000) * 60_000 - seconds * 1_000;
  const plan = { seed: options.seed, assets: PUMP_LOOPS, startMs, seconds };
  const faults = planFaults(plan);
  return {
    description: [
      `${PUMP_LOOPS} simulated pump loops, ${seconds} seconds of each, seed ${options.seed}`,
      `injected faults: ${faults.map((fault) => `${fault.kind} at ${fault.asset}`).join(', ') || 'none fits into so short a run'}`,
    ],
    assets: PUMP_LOOPS,
    rowCount: seconds * PUMP_LOOPS,
    rows: () => simulate({ ...plan, faults }),
    faults,
  };
}

async function replayWorkload(options: DemoOptions): Promise<Workload> {
  const given = options.map === undefined ? undefined : readMap(options.map);
  const tables: { table: TableFile; map: TableMap }[] = [];
  for (const input of options.inputs) {
    for (const table of await findTables(input)) {
      tables.push({ table, map: await mapOf(table.file, given) });
    }
  }
  const maps = new Map(tables.map(({ map }) => [JSON.stringify(map), map]));
  return {
    description: [
      `${tables.length} CSV files, ${tables.length} assets`,
      ...[...maps.values()].flatMap((map) => describeTableMap(map)),
    ],
    assets: tables.length,
    rowCount: undefined,
    rows: () => interleave(tables.map(({ table, map }) => readRows(table.file, map, table.asset))),
    faults: [],
  };
}

/** Row by row from each file in turn, as if all assets ran at the same time. */
async function* interleave(tables: AsyncGenerator<SourceRow>[]): AsyncGenerator<SourceRow> {
  let open = tables;
  while (open.length > 0) {
    const still: AsyncGenerator<SourceRow>[] = [];
    for (const table of open) {
      const next = await table.next();
      if (next.done === true) continue;
      yield next.value;
      still.push(table);
    }
    open = still;
  }
}

function readMap(given: string): unknown {
  const text = existsSync(given) ? readFileSync(given, 'utf8') : given;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(
      `--map: neither a file nor JSON: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** What comes to the forwarder in the scenario `power-forwarder`; everything follows from the seed. */
import type { ScoresMessage } from '@holdfast/contracts';
import { seeded } from '@holdfast/testkit';
import { batchOf } from '../../forwarder/rig.ts';

export const STREAMS = 2;

export type Step =
  | { do: 'batch'; stream: number; first: number; last: number }
  | { do: 'flush' }
  | { do: 'restart' };

/** A line of standard output. */
export type Said =
  | { receipts: { stream: string; epoch: string; through: number }[] }
  /** The blob store has this one, whose body is in a file of this number. */
  | { put: string; file: number; metadata: Record<string, string> }
  /** One more blob is counted as delivered. */
  | { settled: true };

export const streamName = (stream: number): string => `ingest-${stream}`;

/** Rows `first..last` of a stream, the same at any time. */
export function messageOf(stream: number, first: number, last: number): ScoresMessage {
  const message = batchOf(first, last);
  const assets = message.assets.map((one) => ({ ...one, asset: `pump ${stream}` }));
  return { ...message, stream: streamName(stream), assets };
}

export const settingsOf = (seed: number) => ({
  upload: { recordsMax: 2 + (seed % 5), intervalSecs: 1 },
  anomaly: { closeAfter: 5 },
});

/** Also batches that came before, in whole or in part, and one that comes too early. */
export function stepsOf(seed: number, count: number): Step[] {
  const random = seeded(seed);
  const through = Array.from({ length: STREAMS }, () => 0);
  return Array.from({ length: count }, (): Step => {
    const chance = random.next();
    if (chance > 0.97) return { do: 'restart' };
    if (chance > 0.85) return { do: 'flush' };
    const stream = random.int(0, STREAMS - 1);
    const known = through[stream]!;
    const again = random.chance(0.15) ? random.int(0, Math.min(known, 60)) : 0;
    const first = known - again + 1;
    const last = first + random.int(0, 120);
    through[stream] = Math.max(known, last);
    return { do: 'batch', stream, first, last };
  });
}

/** Last row of each stream. */
export function endsOf(steps: readonly Step[]): number[] {
  const ends = Array.from({ length: STREAMS }, () => 0);
  for (const step of steps) {
    if (step.do === 'batch') ends[step.stream] = Math.max(ends[step.stream]!, step.last);
  }
  return ends;
}

import { REPORTED_BYTES_MAX, refuseReported } from '@holdfast/transport';
import { describe, expect, it } from '@jest/globals';
import type { Place, Slot } from '../domain/slot.ts';
import { reportedOf, statusOf } from './model-view.ts';
import { SLOTS_MAX } from './models-setting.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const aPlace = (given: Partial<Place>): Place => ({
  source: { ref: 'https://user:secret@models.example/m?sig=secret', digest, inPlace: false },
  state: 'ready',
  sinceMs: 1_780_000_000_000,
  tries: 0,
  identity: { name: 'n'.repeat(128), version: 'v'.repeat(64), digest },
  ...given,
});
const aSlot = (name: string): Slot => ({
  ...{ name, role: 'canary', wantedRole: 'canary', share: 0.1, wanted: true, promoted: false },
  ...{ stale: false, draining: [] },
  current: aPlace({ reason: 'x'.repeat(5_000) }),
  next: aPlace({ state: 'rolled-back', code: 'c'.repeat(40), reason: 'x'.repeat(5_000) }),
  previous: aPlace({}),
});
const slots = {
  byName: new Map(
    Array.from({ length: SLOTS_MAX }, (_, at) => `${at}`.padStart(32, 's')).map((name) => [
      name,
      aSlot(name),
    ]),
  ),
  lastJob: 0,
};
const gone = Array.from({ length: 16 }, (_, at) => `${at}`.padStart(32, 'g'));

describe('what is told of the models', () => {
  it('fits into the reported properties with as many slots and as long reasons as there can be', () => {
    const models = reportedOf(slots, gone);
    expect(refuseReported({ models })).toBeUndefined();
    expect(JSON.stringify({ models }).length).toBeLessThan(REPORTED_BYTES_MAX * 0.85);
    expect(models[gone[0]!]).toBeNull();
  });

  it('shows no secret of a ref', () => {
    expect(JSON.stringify([statusOf(slots, new Map()), reportedOf(slots, gone)])).not.toContain(
      'secret',
    );
  });
});

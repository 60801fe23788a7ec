import { describe, expect, it } from '@jest/globals';
import { aManifest, aModel } from '../testing/builders.ts';
import { chooseActive, largestLookback, type SlotModel } from './route-models.ts';
import type { Model } from './score-batch.ts';

function aSlot(slot: string, signals: string[], rows = 1): SlotModel<Model> {
  const manifest = aManifest({ signals: signals.map((name) => ({ name, unit: '1' })), rows });
  return { slot, role: 'active', share: 0, sinceMs: 0, model: aModel(manifest) };
}
const pump = aSlot('pump', ['flow', 'pressure'], 12);
const fan = aSlot('fan', ['speed'], 60);

describe('the active model for an asset', () => {
  it('is the one all of whose signals the asset has', () => {
    expect(chooseActive([fan, pump], ['pressure', 'flow', 'noise'])?.slot).toBe('pump');
    expect(chooseActive([fan, pump], ['speed'])?.slot).toBe('fan');
  });

  it('is the first of several that fit', () => {
    expect(chooseActive([fan, pump], ['speed', 'flow', 'pressure'])?.slot).toBe('fan');
  });

  it('is the first of all when none fits, so that its outcome says what is missing', () => {
    expect(chooseActive([fan, pump], ['flow'])?.slot).toBe('fan');
    expect(chooseActive([pump], [])?.slot).toBe('pump');
    expect(chooseActive([], ['flow'])).toBeUndefined();
  });

  it('with the largest lookback is the one that the demand names', () => {
    expect(largestLookback([pump, fan])?.slot).toBe('fan');
    expect(largestLookback([])).toBeUndefined();
  });
});

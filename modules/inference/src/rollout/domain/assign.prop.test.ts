/**
 * Goal: which model scores an asset depends on its name, its signals and the models alone; a canary takes its share of
 * the assets, and keeps them when the share grows. Method: random names and shares, and fixed places that any
 * release must give.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { SlotModel } from '../../domain/route-models.ts';
import { aManifest, IDENTITY } from '../../testing/builders.ts';
import { assign, placeOf } from './assign.ts';

const slot = (name: string, given: { model?: string; share?: number; signals?: string[] } = {}) => {
  const { model = 'm', share = 0, signals = ['a', 'b'] } = given;
  const manifest = aManifest({ signals: signals.map((one) => ({ name: one, unit: '1' })) });
  const identity = { ...IDENTITY, name: model };
  const role = 'active' as const;
  return { slot: name, role, share, sinceMs: 0, model: { identity, manifest } };
};
const asset = (name: string, signals = ['a', 'b']) => ({ asset: name, signals });
const roles = (given: { actives?: Slots; canaries?: Slots; shadows?: Slots }) => ({
  ...{ actives: [slot('one')], canaries: [], shadows: [] },
  ...given,
});
type Slots = SlotModel<ReturnType<typeof slot>['model']>[];
const names = Array.from({ length: 4_000 }, (_, at) => `pump-${at}`);

describe('the model of an asset', () => {
  it('is in the same place of the line on every box, in every release', () => {
    expect(['pump-1', 'pump-2', 'Pumpe Ä', ''].map((name) => placeOf(name, 's'))).toEqual(PLACES);
  });

  it('is the canary for its share of the assets, however they are named', () => {
    fc.assert(
      fc.property(fc.string(), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (salt, share) => {
        const taken = names.filter((name) => placeOf(name, salt) < share).length / names.length;
        // Five standard deviations.
        expect(Math.abs(taken - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / 4_000));
      }),
    );
  });

  it('stays the canary when the share grows', () => {
    const share = fc.double({ min: 0.001, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.string(), share, share, (name, one, other) => {
        const [small, large] = [Math.min(one, other), Math.max(one, other)];
        const canaryAt = (given: number) =>
          assign(asset(name), roles({ canaries: [slot('next', { share: given })] })).canary;
        if (canaryAt(small) !== undefined) expect(canaryAt(large)).toBeDefined();
      }),
    );
  });

  it('is not the same canary for another version in the same slot', () => {
    const other = (name: string) => placeOf(name, 'next\nsha256:b') < 0.5;
    const same = names.filter((name) => placeOf(name, 'next\nsha256:a') < 0.5 === other(name));
    expect(same.length / names.length).toBeCloseTo(0.5, 1);
  });

  it('is challenged by the canaries and shadows of its own name only, where there is one', () => {
    const models = roles({
      actives: [slot('pump'), slot('fan', { model: 'fan', signals: ['c'] })],
      canaries: [slot('next', { model: 'fan', signals: ['c'], share: 1 })],
      shadows: [slot('free', { model: 'other', signals: ['b'] }), slot('trial')],
    });
    const slots = (signals: string[]) => {
      const { active, canary, shadows } = assign(asset('x', signals), models);
      return [active?.slot, canary?.slot, shadows.map((one) => one.slot)];
    };
    expect(slots(['a', 'b', 'c'])).toEqual(['pump', undefined, ['free', 'trial']]);
    expect(slots(['c'])).toEqual(['fan', 'next', []]);
    expect(slots(['b', 'c'])).toEqual(['fan', 'next', ['free']]);
  });

  it('is none without models, whatever candidates there are', () => {
    const models = roles({ actives: [], canaries: [slot('next', { share: 1 })] });
    expect(assign(asset('x'), models)).toEqual({
      active: undefined,
      canary: undefined,
      shadows: [],
    });
  });
});

/** Written down once; a change would move the assets of every canary in the field. */
const PLACES = [0.5152982783038169, 0.35532519198022783, 0.049093714682385325, 0.27718670130707324];

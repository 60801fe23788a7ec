import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compareVersions, refuseDowngrade } from './index.ts';

describe('versions', () => {
  it.each([
    ['1.0.0', '1.0.1'],
    ['1.9.0', '1.10.0'],
    ['1.2', '1.2.1'],
    ['v1.2.3', 'V1.2.4'],
    ['1.0.0-rc.1', '1.0.0'],
    ['1.0.0-alpha', '1.0.0-alpha.1'],
    ['1.0.0-alpha.1', '1.0.0-alpha.beta'],
    ['1.0.0-rc.2', '1.0.0-rc.10'],
    ['2026.11.9', '2026.11.25'],
    ['2026-09-30', '2026-11-25'],
    ['20261124', '20261125'],
    ['99999999999999999998', '99999999999999999999'],
    ['7', '7.0.1'],
    ['3', 'final'],
  ])('%s is older than %s', (older, newer) => {
    expect([compareVersions(older, newer), compareVersions(newer, older)]).toEqual([-1, 1]);
  });

  it.each([
    ['1.2', '1.2.0'],
    ['v1', '1'],
    ['1.0.0+linux', '1.0.0+arm'],
    ['01.2', '1.2'],
  ])('%s is of the rank of %s', (left, right) => {
    expect(compareVersions(left, right)).toBe(0);
  });

  it('of any text are in one order', () => {
    const part = fc.oneof(fc.nat({ max: 12 }).map(String), fc.constantFrom('a', 'b', 'rc', ''));
    const version = fc
      .tuple(
        fc.array(part, { minLength: 1, maxLength: 3 }),
        fc.option(fc.array(part, { minLength: 1, maxLength: 3 })),
      )
      .map(([core, pre]) => core.join('.') + (pre === null ? '' : `-${pre.join('.')}`));
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(compareVersions(a, b)).toBe(-compareVersions(b, a) + 0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) {
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
        }
      }),
    );
  });
});

describe('a downgrade', () => {
  const refusal = (version: string, last?: string, allowOlder?: boolean): unknown => {
    try {
      refuseDowngrade(
        { name: 'pump', version },
        last,
        allowOlder === undefined ? {} : { allowOlder },
      );
    } catch (error) {
      return (error as Error).message;
    }
    return undefined;
  };

  it('is refused with both versions', () => {
    expect(refusal('1.9.0', '1.10.0')).toBe(
      'BUNDLE_DOWNGRADE: model.json: version: "1.9.0" is not allowed, must not be older than 1.10.0, which was accepted for "pump" before, unless older versions are allowed',
    );
  });

  it('is none when nothing came before, the version is the same or newer, or somebody allows it', () => {
    expect([
      refusal('1.0.0'),
      refusal('1.0.0', '1.0.0'),
      refusal('1.0.1', '1.0.0'),
      refusal('1.0.0', '2.0.0', true),
    ]).toEqual([undefined, undefined, undefined, undefined]);
  });
});

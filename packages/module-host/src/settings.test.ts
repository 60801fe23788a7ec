import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { SettingsKeeper } from './settings.ts';

const schema = z.object({
  credit: z.int().min(1).max(16).default(4),
  lanes: z.strictObject({ bulk: z.boolean().default(false) }).prefault({}),
  names: z.array(z.string()).default([]),
});

function keeper(folder = temporaryFolder('settings')) {
  const warnings: string[] = [];
  const log = {
    error: (event: string) => void warnings.push(event),
    warn: (event: string) => void warnings.push(event),
    info: () => {},
    debug: () => {},
  };
  const file = join(folder, 'data', 'settings.json');
  const applied: unknown[] = [];
  const open = () => new SettingsKeeper({ schema, file, log });
  const settings = open();
  const offer = (desired: Record<string, unknown>, version: number) =>
    settings.offer(desired, version, (next) => applied.push(next));
  return { settings, offer, applied, warnings, file, open };
}

describe('settings', () => {
  it('are the defaults at the first start', () => {
    expect(keeper().settings.current).toEqual({ credit: 4, lanes: { bulk: false }, names: [] });
  });

  it('applies an acceptable document, with defaults for what it leaves out', () => {
    const { settings, offer, applied } = keeper();
    expect(offer({ credit: 8, $metadata: {}, $version: 3 }, 3)).toEqual({
      version: 3,
      verdict: 'accepted',
      problems: [],
      inForce: 3,
    });
    expect(applied).toEqual([{ credit: 8, lanes: { bulk: false }, names: [] }]);
    expect(settings.current.credit).toBe(8);
    expect(settings.version).toBe(3);
  });

  it('refuses unknown keys and impossible values with path, value and allowed range, all at once', () => {
    const { settings, offer, applied } = keeper();
    offer({ credit: 8 }, 3);
    const verdict = offer({ credit: 99, lanes: { bulk: 'yes', bulkk: true }, other: 1 }, 4);
    expect(verdict).toMatchObject({ version: 4, verdict: 'refused', inForce: 3 });
    expect(verdict.problems).toEqual([
      { path: 'credit', value: '99', allowed: 'must be at most 16' },
      { path: 'lanes.bulk', value: '"yes"', allowed: 'must be a boolean' },
      { path: 'lanes.bulkk', allowed: 'is not a known name and must be left out' },
      { path: 'other', allowed: 'is not a known name and must be left out' },
    ]);
    expect(applied).toHaveLength(1);
    expect(settings.current.credit).toBe(8);
  });

  it('keeps the old settings when applying new ones throws, and gives the reason', () => {
    const { settings, offer } = keeper();
    offer({ credit: 8 }, 3);
    const verdict = settings.offer({ credit: 9 }, 4, () => {
      throw new Error('model bundle is not there');
    });
    expect(verdict.problems).toEqual([{ path: '', allowed: 'model bundle is not there' }]);
    expect(settings.current.credit).toBe(8);
    expect(verdict.inForce).toBe(3);
  });

  it('judges the same document once', () => {
    const { offer, applied } = keeper();
    offer({ credit: 8 }, 3);
    offer({ credit: 8 }, 3);
    expect(applied).toHaveLength(1);
    offer({ credit: 8 }, 4);
    expect(applied).toHaveLength(2);
  });

  it('come back after a restart without a hub', () => {
    const { offer, open } = keeper();
    offer({ credit: 8, names: ['a'] }, 3);
    offer({ credit: 99 }, 4);
    const again = open();
    expect(again.current).toEqual({ credit: 8, lanes: { bulk: false }, names: ['a'] });
    expect(again.version).toBe(3);
  });

  it('are written whole: no half file is left beside them', () => {
    const { offer, file } = keeper();
    offer({ credit: 8 }, 3);
    expect(readdirSync(join(file, '..'))).toEqual(['settings.json', 'settings.json.copy']);
    const kept = { version: 3, desired: { credit: 8 } };
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject(kept);
  });

  it('survive any flipped bit and any cut of their file', () => {
    const { offer, file, open, warnings } = keeper();
    offer({ credit: 8, names: ['a'] }, 3);
    const whole = readFileSync(file);
    const damages = [Buffer.alloc(0), whole.subarray(0, 20)];
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const flipped = Buffer.from(whole);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      damages.push(flipped);
    }
    for (const damaged of damages) {
      writeFileSync(file, damaged);
      const { current, version } = open();
      expect({ current, version }).toMatchObject({
        current: { credit: 8, names: ['a'] },
        version: 3,
      });
    }
    expect(new Set(warnings)).toEqual(
      new Set(['Settings kept from before cannot be read, starting with their copy']),
    );
  });

  it('start with defaults, and say so, when what was kept is damaged or does not suit any more', () => {
    for (const kept of ['{"vers', '[]', '{"version":1,"desired":{"credit":99}}']) {
      const folder = temporaryFolder('settings');
      mkdirSync(join(folder, 'data'));
      writeFileSync(join(folder, 'data', 'settings.json'), kept);
      const { settings, warnings } = keeper(folder);
      expect(settings.current.credit).toBe(4);
      expect(warnings).toHaveLength(1);
    }
  });

  it('stay in force when they cannot be kept', () => {
    const folder = temporaryFolder('settings');
    writeFileSync(join(folder, 'data'), 'a file where a folder should be');
    const { settings, offer, warnings } = keeper(folder);
    expect(offer({ credit: 8 }, 3).verdict).toBe('accepted');
    expect(settings.current.credit).toBe(8);
    expect(warnings).toEqual(['Settings are in force but could not be kept on disk']);
  });

  it('cannot be declared without a default', () => {
    const bad = z.object({ needed: z.string() });
    const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
    const make = () => new SettingsKeeper({ schema: bad, file: '/nowhere/s.json', log });
    expect(make).toThrow('every setting needs a default: needed: is missing');
  });
});

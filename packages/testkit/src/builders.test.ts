import { existsSync } from 'node:fs';
import { check, ReadingsMessage, ScoresMessage } from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from './fake-clock.ts';
import { aReading, aReadingsMessage, aScoresMessage, readings } from './messages.ts';
import { seeded } from './seeded.ts';
import { removeTemporaryFolders, temporaryFolder } from './temporary-folder.ts';

describe('builders', () => {
  it('make messages that the contracts accept', () => {
    const batch = check(ReadingsMessage, aReadingsMessage({ first: 5, last: 9, lookback: 2 }));
    const scores = check(ScoresMessage, aScoresMessage({ first: 5, last: 9 }));
    expect(batch.ok && batch.value.assets[0]?.seq).toEqual([5, 6, 7, 8, 9]);
    expect(scores.ok && scores.value.assets[0]?.score.length).toBe(5);
  });

  it('make readings with as many values as signals', () => {
    expect(aReading({ signals: ['a', 'b', 'c'] }).values).toHaveLength(3);
    const [first, second] = readings(2, { asset: 'x' });
    expect((second?.t ?? 0) - (first?.t ?? 0)).toBe(1_000);
  });
});

describe('fake clock', () => {
  it('moves both times, and runs what is due in order', () => {
    const clock = new FakeClock(1_000);
    const ran: string[] = [];
    clock.after(20, () => ran.push(`b${clock.monotonicMs()}`));
    clock.after(10, () => ran.push(`a${clock.wallMs()}`));
    const cancel = clock.after(15, () => ran.push('never'));
    cancel();
    clock.advance(30);
    expect(ran).toEqual(['a1010', 'b20']);
    clock.setWall(0);
    expect([clock.monotonicMs(), clock.wallMs()]).toEqual([30, 0]);
  });
});

describe('seeded numbers', () => {
  it('are the same for the same seed, and others for another', () => {
    const draw = (seed: number): number[] => {
      const random = seeded(seed);
      return Array.from({ length: 5 }, () => random.int(0, 1_000_000));
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it('keep their bounds and lose nothing in a shuffle', () => {
    const random = seeded(3);
    const drawn = Array.from({ length: 2_000 }, () => random.int(2, 4));
    expect(new Set(drawn)).toEqual(new Set([2, 3, 4]));
    expect(random.shuffle([1, 2, 3, 4]).sort()).toEqual([1, 2, 3, 4]);
    const mean =
      Array.from({ length: 4_000 }, () => random.normal(10, 2)).reduce((a, b) => a + b) / 4_000;
    expect(Math.abs(mean - 10)).toBeLessThan(0.2);
  });
});

describe('temporary folders', () => {
  it('exist until they are removed', () => {
    const folder = temporaryFolder();
    expect(existsSync(folder)).toBe(true);
    removeTemporaryFolders();
    expect(existsSync(folder)).toBe(false);
  });
});

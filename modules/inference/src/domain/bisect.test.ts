import { describe, expect, it } from '@jest/globals';
import { CRASHES_MAX, scoreBisecting } from './bisect.ts';

const failure = (code: string, message = code) => Object.assign(new Error(message), { code });
const scoresOf = (from: number, to: number) => ({
  score: Float32Array.from({ length: to - from }, (_, index) => from + index),
  contributions: Float32Array.from({ length: (to - from) * 2 }, (_, index) => from * 2 + index),
});

/** Scores each window by its index; `fail` may throw for a range. */
function scoring(count: number, fail: (from: number, to: number) => void = () => undefined) {
  const ranges: [number, number][] = [];
  const run = async (from: number, to: number) => {
    ranges.push([from, to]);
    fail(from, to);
    return scoresOf(from, to);
  };
  return { ranges, result: scoreBisecting({ count, signals: 2, run }) };
}
const within = (bad: number[], from: number, to: number) =>
  bad.some((one) => one >= from && one < to);

describe('scoring with bisection', () => {
  it('takes one run when nothing fails', async () => {
    const { ranges, result } = scoring(100);
    expect([...(await result).score]).toEqual([...scoresOf(0, 100).score]);
    expect(ranges).toEqual([[0, 100]]);
  });

  it('takes no run for nothing', async () => {
    const { ranges, result } = scoring(0);
    expect((await result).score).toHaveLength(0);
    expect(ranges).toEqual([]);
  });

  it('finds the windows that fail and scores all others as if they were not there', async () => {
    const bad = [3, 50, 51, 99];
    const { result } = scoring(100, (from, to) => {
      if (within(bad, from, to)) throw failure('RUN_FAILED', 'index out of bounds');
    });
    const { score, contributions, failed } = await result;
    expect([...failed.keys()]).toEqual(bad);
    expect(failed.get(50)).toBe('index out of bounds');
    for (let window = 0; window < 100; window += 1) {
      if (bad.includes(window)) expect(score[window]).toBeNaN();
      else
        expect([score[window], contributions?.[window * 2 + 1]]).toEqual([window, window * 2 + 1]);
    }
  });

  it('needs about two runs a halving for one bad window', async () => {
    const { ranges, result } = scoring(1_024, (from, to) => {
      if (within([700], from, to)) throw failure('RUN_FAILED');
    });
    await result;
    expect(ranges).toHaveLength(21);
  });

  it('tries a run that ended the worker once more before it blames the input', async () => {
    let crashes = 1;
    const { ranges, result } = scoring(8, () => {
      if (crashes-- > 0) throw failure('RUN_CRASHED');
    });
    expect((await result).failed.size).toBe(0);
    expect(ranges).toEqual([
      [0, 8],
      [0, 8],
    ]);
  });

  it('finds a window that ends the worker each time', async () => {
    const { result } = scoring(64, (from, to) => {
      if (within([5], from, to)) throw failure('RUN_CRASHED', 'out of memory');
    });
    const { failed } = await result;
    expect([...failed]).toEqual([[5, 'out of memory']]);
  });

  it('never blames a run that was only interrupted', async () => {
    let interruptions = 20;
    const { result } = scoring(4, () => {
      if (interruptions-- > 0) throw failure('RUN_INTERRUPTED');
    });
    expect((await result).failed.size).toBe(0);
  });

  it('gives the rest up after too many crashes', async () => {
    const { ranges, result } = scoring(1_000, () => {
      throw failure('RUN_CRASHED');
    });
    const { failed } = await result;
    expect(failed.size).toBe(1_000);
    expect(ranges).toHaveLength(CRASHES_MAX);
  });

  it('does not bisect when there is no scorer at all', async () => {
    const { ranges, result } = scoring(8, () => {
      throw failure('SCORER_UNAVAILABLE');
    });
    await expect(result).rejects.toMatchObject({ code: 'SCORER_UNAVAILABLE' });
    expect(ranges).toHaveLength(1);
  });
});

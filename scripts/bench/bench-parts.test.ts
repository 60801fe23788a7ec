import { describe, expect, it } from '@jest/globals';
import { Bodies } from './bodies.ts';
import { plotSvg } from './plot.ts';
import { cellText, tableMarkdown, tableText } from './report.ts';

describe('Bodies', () => {
  it('feeds the rows of each asset in order, at times that go on', () => {
    const bodies = new Bodies({ assets: 2, signals: 8, rows: 4, startMs: 1_000_000 });
    const seen: Record<string, number[]> = {};
    for (let post = 0; post < 3; post += 1) {
      const blocks = JSON.parse(bodies.next());
      for (const { asset, t, signals, values } of blocks) {
        seen[asset] = [...(seen[asset] ?? []), ...t];
        expect(signals).toHaveLength(8);
        expect(values.map((column: unknown[]) => column.length)).toEqual(
          signals.map(() => t.length),
        );
      }
    }
    expect(Object.keys(seen)).toHaveLength(2);
    for (const times of Object.values(seen)) {
      expect(times).toEqual([0, 1, 2, 3, 4, 5].map((row) => 1_000_000 + row * 1_000));
    }
  });

  it('makes single readings with any number of signals', () => {
    const bodies = new Bodies({ assets: 3, signals: 64, rows: 1, startMs: 0 });
    const assets = [1, 2, 3].map(() => {
      const { asset, values } = JSON.parse(bodies.next());
      expect(Object.keys(values)).toHaveLength(64);
      return asset;
    });
    expect(new Set(assets).size).toBe(3);
  });
});

describe('tables', () => {
  const table = {
    title: 'T',
    columns: ['name', 'value'],
    rows: [
      ['a', 1_234.5],
      ['b', null],
    ],
  };

  it('are the same figures for a terminal and for Markdown', () => {
    expect(tableText(table)).toBe('T\n  name  value\n  a     1,235\n  b         –');
    expect(tableMarkdown(table)).toBe('| name | value |\n| --- | ---: |\n| a | 1,235 |\n| b | – |');
  });

  it('round to three digits and show what is not known as a dash', () => {
    expect([0.456, 12.34, 123.4, Number.NaN].map(cellText)).toEqual(['0.46', '12.3', '123', '–']);
  });
});

describe('plotSvg', () => {
  it('puts a zero at the left end of a scale in steps of ten', () => {
    const svg = plotSvg({
      id: 'p',
      title: 'a < b',
      x: { label: 'x', log: true },
      y: { label: 'y' },
      series: [
        {
          name: 's',
          points: [
            [0, 1],
            [1_000, 2],
            [10_000, 3],
          ],
        },
      ],
    });
    expect(svg).toContain('a &lt; b');
    const places = [...svg.matchAll(/circle cx="([\d.]+)" cy="([\d.]+)"/g)].map((match) =>
      [match[1], match[2]].map(Number),
    );
    const [left, middle, right] = places.map(([x]) => x!);
    expect(left).toBe(84);
    expect(middle! - left!).toBeCloseTo(right! - middle!, 0);
    expect(places.map(([, y]) => y!)).toEqual([...places.map(([, y]) => y!)].sort((a, b) => b - a));
  });
});

import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { BundleManifest } from './bundle.ts';
import { check, describeProblem, describeProblems, showValue } from './problems.ts';

const Settings = z.strictObject({
  rate: z.int().min(1).max(10),
  mode: z.enum(['any', 'listed']),
  items: z.array(z.strictObject({ name: z.string().max(3) })),
});

const problems = (document: unknown) => {
  const result = check(Settings, document);
  return result.ok ? [] : result.problems.map(describeProblem);
};

describe('problems of a document', () => {
  it('names place, value and what is allowed, all at once', () => {
    expect(problems({ rate: 11, mode: 'none', items: [{ name: 'long name' }], extra: 1 })).toEqual([
      'rate: 11 is not allowed, must be at most 10',
      'mode: "none" is not allowed, must be "any" or "listed"',
      'items[0].name: "long name" is not allowed, must have at most 3 characters',
      'extra: is not a known name and must be left out',
    ]);
  });

  it('says what is missing', () => {
    expect(problems({ mode: 'any', items: [] })).toEqual(['rate: is missing, must be a number']);
  });

  it('speaks of the document itself when it is no object', () => {
    expect(problems([])).toEqual(['document: [] is not allowed, must be an object']);
  });

  it('cuts long values and long lists short', () => {
    expect(showValue('x'.repeat(200))).toHaveLength(80);
    expect(showValue(Number.NaN)).toBe('NaN');
    const result = check(z.array(z.number()), Array(9).fill('a'));
    expect(result.ok ? '' : describeProblems(result.problems, 2)).toContain('and 7 more');
  });

  it('refuses levels of a bundle in the wrong order by name', () => {
    const result = check(BundleManifest.shape.levels, { warning: 2, alarm: 1 });
    expect(result.ok ? '' : describeProblems(result.problems)).toContain(
      'warning must be below alarm',
    );
  });
});

import { describe, expect, it } from '@jest/globals';
import { blobName } from './blob-name.ts';

describe('blob name', () => {
  it('escapes what a partition value may not hold, and is below the limit of Azure Stack Hub', () => {
    const blob = {
      kind: 'rollup' as const,
      site: 'Werk 5: 100%',
      date: '2026-11-23',
      lane: 'normal' as const,
      first: 1,
      last: 20,
      recordsHash: 'ab'.repeat(32),
    };
    expect(blobName(blob)).toBe(
      'insights/v1/kind=rollup/site=Werk 5%3A 100%25/date=2026-11-23/normal-all-1-20-abababababababab.parquet',
    );
    expect(blobName({ ...blob, site: ':'.repeat(128) }).length).toBeLessThan(880);
  });
});

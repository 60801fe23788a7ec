import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { settingsJsonSchema, settingsTable } from './settings-table.ts';

const definition = {
  httpPort: 8081,
  environment: z.object({ HOLDFAST_MODEL_DIR: z.string().describe('Folder of the bundle') }),
  settings: z.object({
    credit: z.int().min(1).max(16).default(4).describe('Batches without a receipt | at most'),
    policy: z
      .strictObject({ bulk: z.enum(['allow', 'deny']).default('deny').describe('Raw scores') })
      .prefault({}),
    ratio: z.number().gt(0).lte(1).default(0.5),
    names: z.array(z.string()).default([]),
  }),
};

describe('settings table', () => {
  const text = settingsTable(definition);

  it('has a row for each setting with type, default, range and meaning', () => {
    expect(text).toContain(
      '| `credit` | whole number | `4` | ≥ 1, ≤ 16 | Batches without a receipt \\| at most |',
    );
    expect(text).toContain('| `policy.bulk` | choice | `"deny"` | "allow", "deny" | Raw scores |');
    expect(text).toContain('| `ratio` | number | `0.5` | > 0, ≤ 1 |  |');
    expect(text).toContain('| `names` | list of string | `[]` |  |  |');
  });

  it('has the variables of the module and those of every module', () => {
    expect(text).toContain(
      '| `HOLDFAST_MODEL_DIR` | string | required |  | Folder of the bundle |',
    );
    expect(text).toMatch(/\| `HOLDFAST_HTTP_PORT` \| whole number \| `8081` \| ≥ 0, ≤ 65535 \|/);
  });

  it('gives JSON Schema that allows nothing unknown', () => {
    expect(settingsJsonSchema(definition)).toMatchObject({
      type: 'object',
      additionalProperties: false,
      properties: { credit: { type: 'integer', minimum: 1, maximum: 16, default: 4 } },
    });
  });
});

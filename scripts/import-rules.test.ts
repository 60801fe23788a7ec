import { describe, expect, it } from '@jest/globals';
import { importsOf, problemOf } from './import-rules.ts';

const packages = new Set(['contracts', 'stream', 'testkit']);
const problem = (file: string, source: string) =>
  importsOf(file, source).map((found) => problemOf(found, packages));

describe('import rules', () => {
  it('lets a module use packages by name', () => {
    expect(
      problem('modules/ingest/src/pipeline.ts', "import { a } from '@holdfast/stream';"),
    ).toEqual([undefined]);
  });

  it.each([
    ['a module that imports another', 'modules/ingest/src/a.ts', "import '@holdfast/forwarder';"],
    [
      'a path into another workspace',
      'modules/ingest/src/a.ts',
      "import { a } from '../../../packages/stream/src/b.ts';",
    ],
    [
      'a package that imports the local edge',
      'packages/stream/src/a.ts',
      "export * from '@holdfast/edge';",
    ],
    ['Node in domain code', 'modules/ingest/src/domain/a.ts', "import fs from 'node:fs';"],
    ['a library in domain code', 'modules/ingest/src/domain/a.ts', "import { z } from 'zod';"],
    [
      'an adapter in domain code',
      'modules/ingest/src/domain/a.ts',
      "import { b } from '../adapters/b.ts';",
    ],
    [
      'testkit outside tests',
      'modules/ingest/src/a.ts',
      "import { until } from '@holdfast/testkit';",
    ],
    [
      'an import list over several lines',
      'modules/ingest/src/domain/a.ts',
      "import {\n  a,\n  b,\n} from 'node:fs';",
    ],
    ['a dynamic import', 'modules/ingest/src/domain/a.ts', "const a = await import('node:fs');"],
  ])('refuses %s', (_, file, source) => {
    expect(problem(file, source).filter((found) => found !== undefined)).toHaveLength(1);
  });

  it('lets tests use testkit and Node', () => {
    const source = "import fs from 'node:fs';\nimport { until } from '@holdfast/testkit';";
    expect(problem('modules/ingest/src/domain/a.test.ts', source)).toEqual([undefined, undefined]);
  });
});

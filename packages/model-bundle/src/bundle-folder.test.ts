import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { BundleFolder } from './bundle-folder.ts';

describe('the folder of a bundle', () => {
  it('gives no bytes of a file that was exchanged after its digest was taken', async () => {
    const path = temporaryFolder('exchanged');
    writeFileSync(join(path, 'model.json'), 'one');
    const folder = await BundleFolder.open(path);
    const digest = await folder.digestOf('model.json');
    expect((await folder.readSmall('model.json', 10)).toString()).toBe('one');
    writeFileSync(join(path, 'model.json'), 'two');
    await expect(folder.readSmall('model.json', 10)).rejects.toMatchObject({
      code: 'BUNDLE_ALTERED',
      message: expect.stringContaining('model.json was changed while the bundle was read'),
    });
    expect(await folder.digestOf('model.json')).toBe(digest);
  });

  it('with more files than any bundle has is not listed to its end', async () => {
    const path = temporaryFolder('many');
    for (let index = 0; index <= 1_000; index += 1) writeFileSync(join(path, `${index}`), '');
    await expect((await BundleFolder.open(path)).list()).rejects.toMatchObject({
      code: 'BUNDLE_ALTERED',
      message: expect.stringContaining('has more than 1000 files'),
    });
  });
});

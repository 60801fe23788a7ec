import { copyFile, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { onDisk } from './partial-file.ts';
import type { PushPlan } from './push-plan.ts';
import { holdsBundle, syncFolder } from './store.ts';

/**
 * Copies a bundle into a folder in this one, on a stick for instance, and gives its path. It appears whole or not at
 * all, and is on the medium when this returns.
 */
export async function pushToFolder(plan: PushPlan, into: string): Promise<string> {
  const { name, version, digest, folder } = plan;
  const title = `${name}-${version}`.replace(/[^A-Za-z0-9._-]+/g, '-');
  const target = join(into, `${title}-${digest.slice(7, 19)}`);
  if (await holdsBundle(target, digest)) return target;
  const partial = join(into, `.${title}-${digest.slice(7, 19)}`);
  await onDisk(async () => {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    for (const file of plan.files) {
      const path = join(partial, file.name);
      await copyFile(join(folder, file.name), path);
      const copy = await open(path, 'r+');
      await copy.sync().finally(() => copy.close());
    }
    await rm(target, { recursive: true, force: true });
    await rename(partial, target);
  });
  await syncFolder(into);
  return target;
}

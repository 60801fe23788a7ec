import type { Wanted } from '../domain/slot.ts';
import { MOUNTED, type SlotSetting, shareOf } from './models-setting.ts';

/** What the twin wants in its slots; when it names no models, the folder of HOLDFAST_MODEL_DIR in one of its own. */
export function wantedModels(
  setting: Readonly<Record<string, SlotSetting>>,
  folder: string | undefined,
): Record<string, Wanted> {
  const entries = Object.entries(setting).map(([name, slot]): [string, Wanted] => {
    const { ref, digest, role } = slot;
    return [name, { source: { ref, digest, inPlace: false }, role, share: shareOf(slot) }];
  });
  if (entries.length > 0) return Object.fromEntries(entries);
  if (folder === undefined) return {};
  const source = { ref: folder, inPlace: true };
  return { [MOUNTED]: { source, role: 'active', share: 0 } };
}

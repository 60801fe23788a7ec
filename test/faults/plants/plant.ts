import path from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * A bug that is put into one source file while a process loads it; the file itself stays as it is. It proves that a
 * check can see: the scenario must turn red with it.
 */
export interface Plant {
  /** Unique within its scenario, kebab-case: `receipt-before-commit`. */
  name: string;
  /** From the root of the repository. */
  file: string;
  /** Text that stands exactly once in the file. */
  find: string;
  replace: string;
}

/** Name of the variable that carries the plant into a process. */
export const PLANT_VARIABLE = 'HOLDFAST_TEST_PLANT';

/** Environment of a process that is to run with the bug; nothing when there is none. */
export function plantEnvironment(plant: Plant | undefined): Record<string, string> {
  if (plant === undefined) return {};
  const hook = pathToFileURL(path.join(import.meta.dirname, 'plant-hook.ts')).href;
  return { NODE_OPTIONS: `--import ${hook}`, [PLANT_VARIABLE]: JSON.stringify(plant) };
}

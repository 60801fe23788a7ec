import { check, describeProblems } from '@holdfast/contracts';
import type { RunningModule } from '@holdfast/module-host';
import { z } from 'zod';
import type { ModelSet } from './model-set.ts';

const OfSlot = z.strictObject({ slot: z.string().min(1) });

/**
 * Direct methods for an operator: `models` lists them, `model-retry {slot}` tries again at once what failed, was
 * refused or rolled back, `model-rollback {slot}` goes back to the model before this one.
 */
export function modelMethods(models: ModelSet): NonNullable<RunningModule<unknown>['methods']> {
  const onSlot = (act: (slot: string) => void) => (payload: unknown) => {
    const checked = check(OfSlot, payload ?? {});
    if (!checked.ok) return { status: 400, payload: { error: describeProblems(checked.problems) } };
    try {
      act(checked.value.slot);
      return { status: 200, payload: models.status() };
    } catch (error) {
      return { status: 409, payload: { error: (error as Error).message } };
    }
  };
  return {
    models: () => ({ status: 200, payload: models.status() }),
    'model-retry': onSlot((slot) => models.retry(slot)),
    'model-rollback': onSlot((slot) => models.revert(slot, 'rolled back by hand')),
  };
}

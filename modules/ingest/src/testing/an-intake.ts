import { Checker, type CheckSettings } from '../domain/checker.ts';
import { Intake } from '../domain/intake.ts';

/** 2026-11-23T12:00:00Z, the clock of the tests in this folder. */
export const NOW_MS = Date.UTC(2026, 10, 23, 12);

/** An intake with the default settings; give only what matters to the test. */
export function anIntake(
  given: Partial<CheckSettings> & { unit?: 'row' | 'line'; utc?: boolean } = {},
): Intake {
  const { unit = 'row', utc = false, ...settings } = given;
  const checker = new Checker({
    futureMsMax: 300_000,
    pastMsMax: 3650 * 86_400_000,
    assetMode: 'any',
    assets: [],
    ...settings,
  });
  return new Intake(checker, { nowMs: NOW_MS, unit, utc });
}

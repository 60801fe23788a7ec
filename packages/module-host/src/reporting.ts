import type { z } from 'zod';
import type { RunningModule } from './port.ts';
import type { Reporter } from './reporter.ts';
import type { SettingsKeeper } from './settings.ts';

/** How often readiness and the module's own properties are looked at: what changes in between is sent once. */
const LOOK_MS = 2_000;

export interface Reporting {
  set(): void;
  again(): void;
  stop(): void;
}

/**
 * Keeps verdict on the settings, readiness and what the module itself reports in the reported properties, the last two
 * also when they change by themselves.
 */
export function reporting<Settings extends z.ZodObject>(from: {
  definition: { name: string; version: string };
  running: RunningModule<z.output<Settings>>;
  settings: SettingsKeeper<Settings>;
  reporter: Reporter;
}): Reporting {
  const { definition, running, settings, reporter } = from;
  let reported = '';
  const set = (): void => {
    if (settings.verdict === undefined) return;
    const now = saidBy(running);
    reported = JSON.stringify(now);
    const report = reportOf(definition, settings.verdict);
    reporter.set({ holdfast: { ...report, notReady: now.notReady }, ...now.own });
  };
  const watch = setInterval(() => {
    if (JSON.stringify(saidBy(running)) !== reported) set();
  }, LOOK_MS);
  watch.unref();
  return {
    set,
    again: () => reporter.again(),
    stop: () => {
      clearInterval(watch);
      reporter.stop();
    },
  };
}

/** A reported string value may have 4 KiB. */
const NOT_READY_LENGTH_MAX = 1_000;

const saidBy = (running: RunningModule<never>) => ({
  notReady: running.notReady()?.slice(0, NOT_READY_LENGTH_MAX) ?? null,
  own: running.reported?.() ?? {},
});

function reportOf(
  definition: { name: string; version: string },
  verdict: { version: number; verdict: string; problems: unknown[]; inForce: number },
): Record<string, unknown> {
  return { module: definition.name, version: definition.version, settings: { ...verdict } };
}

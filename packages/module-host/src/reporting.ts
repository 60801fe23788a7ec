import type { z } from 'zod';
import type { RunningModule } from './port.ts';
import type { Reporter } from './reporter.ts';
import type { SettingsKeeper } from './settings.ts';

/** How often readiness is looked at for the reported properties. */
const READINESS_MS = 2_000;

export interface Reporting {
  set(): void;
  again(): void;
  stop(): void;
}

/** Keeps verdict on the settings and readiness in the reported properties, the latter also when it changes by itself. */
export function reporting<Settings extends z.ZodObject>(from: {
  definition: { name: string; version: string };
  running: RunningModule<z.output<Settings>>;
  settings: SettingsKeeper<Settings>;
  reporter: Reporter;
}): Reporting {
  const { definition, running, settings, reporter } = from;
  let reported: string | undefined;
  const set = (): void => {
    if (settings.verdict === undefined) return;
    reported = running.notReady();
    const report = reportOf(definition, settings.verdict);
    reporter.set({
      holdfast: { ...report, notReady: reported?.slice(0, NOT_READY_LENGTH_MAX) ?? null },
    });
  };
  const watch = setInterval(() => {
    if (running.notReady() !== reported) set();
  }, READINESS_MS);
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

function reportOf(
  definition: { name: string; version: string },
  verdict: { version: number; verdict: string; problems: unknown[]; inForce: number },
): Record<string, unknown> {
  return { module: definition.name, version: definition.version, settings: { ...verdict } };
}

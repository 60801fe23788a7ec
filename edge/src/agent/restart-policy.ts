import type { DeployedModule } from '../deployment/deployment.ts';

/** edgeAgent's numbers: first wait 10 s, doubled each time up to 300 s; 20 restarts; 10 minutes of running clear the count. */
export interface RestartLimits {
  firstDelayMs: number;
  delayMsMax: number;
  restartsMax: number;
  steadyMs: number;
}

export const edgeAgentLimits: RestartLimits = {
  firstDelayMs: 10_000,
  delayMsMax: 300_000,
  restartsMax: 20,
  steadyMs: 600_000,
};

/** The same limits on a faster clock: 0.01 makes the first wait 100 ms. */
export const scaleLimits = (limits: RestartLimits, scale: number): RestartLimits => ({
  ...limits,
  firstDelayMs: limits.firstDelayMs * scale,
  delayMsMax: limits.delayMsMax * scale,
  steadyMs: limits.steadyMs * scale,
});

export type AfterExit =
  | { kind: 'stopped' }
  | { kind: 'failed' }
  | { kind: 'restart'; delayMs: number; restarts: number };

/**
 * What to do when a module has ended by itself.
 * `on-unhealthy` is `on-failure` here, as Docker's health checks have no effect in edgeAgent either.
 */
export function afterExit(
  policy: DeployedModule['restartPolicy'],
  limits: RestartLimits,
  ended: { exitCode: number; restarts: number; ranMs: number },
): AfterExit {
  const failed = ended.exitCode !== 0;
  if (policy === 'never' || (!failed && policy !== 'always'))
    return failed ? { kind: 'failed' } : { kind: 'stopped' };
  const restarts = ended.ranMs >= limits.steadyMs ? 0 : ended.restarts;
  if (restarts >= limits.restartsMax) return { kind: 'failed' };
  const delayMs = Math.min(limits.firstDelayMs * 2 ** restarts, limits.delayMsMax);
  return { kind: 'restart', delayMs, restarts: restarts + 1 };
}

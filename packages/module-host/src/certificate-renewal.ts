import { errorFields } from './log.ts';
import type { Log } from './port.ts';
import { requestServerCertificate, type ServerCertificate, workloadIdentity } from './workload.ts';

export interface RenewingCertificate {
  readonly first: ServerCertificate;
  /** Calls `install` with each later certificate; returns a function that ends it. */
  renew(install: (certificate: ServerCertificate) => void): () => void;
}

interface Timing {
  /** Life to ask for. The daemon may give less. */
  lifeMs: number;
  /** Pause after a failed request. */
  retryMs: number;
  /** How often to look at the clock. */
  lookMs: number;
  /** Failed requests before the first certificate after which to give up. */
  attemptsMax: number;
}

const DEFAULT_TIMING: Timing = {
  lifeMs: 30 * 24 * 3_600_000,
  retryMs: 2_000,
  lookMs: 60_000,
  attemptsMax: 30,
};

/** How far the clock may go back before a certificate counts as one of the future, in ms. */
const SET_BACK_MS = 5 * 60_000;

/**
 * The server certificate of this module, renewed when two thirds of its life are over or the clock was set back. The daemon may still be
 * starting, so the first request is repeated for a minute.
 * @throws WorkloadError
 */
export async function renewingCertificate(options: {
  environment: NodeJS.ProcessEnv;
  log: Log;
  timing?: Partial<Timing>;
}): Promise<RenewingCertificate> {
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const identity = workloadIdentity(options.environment);
  const request = (): Promise<ServerCertificate> =>
    requestServerCertificate(identity, {
      commonName: identity.moduleId,
      expiresMs: Date.now() + timing.lifeMs,
    });
  let first: ServerCertificate | undefined;
  for (let attempt = 1; first === undefined; attempt++) {
    try {
      first = await request();
    } catch (error) {
      if (attempt >= timing.attemptsMax) throw error;
      options.log.warn('No server certificate yet, asking again', errorFields(error));
      await new Promise((resolve) => setTimeout(resolve, timing.retryMs));
    }
  }
  return {
    first,
    renew: (install) => renewLoop({ first, request, install, log: options.log, timing }),
  };
}

function renewLoop(parts: {
  first: ServerCertificate;
  request: () => Promise<ServerCertificate>;
  install: (certificate: ServerCertificate) => void;
  log: Log;
  timing: Timing;
}): () => void {
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const plan = (delayMs: number): void => {
    if (ended) return;
    // Timers do not see that the clock is set: a box that started in 1970 has an expired certificate then.
    timer = setTimeout(look, Math.min(Math.max(delayMs, 0), parts.timing.lookMs));
    timer.unref();
  };
  let gotAtMs = Date.now();
  let renewAtMs = renewalTime(parts.first);
  const look = async (): Promise<void> => {
    const due = Date.now() >= renewAtMs || Date.now() < gotAtMs - SET_BACK_MS;
    if (!due) {
      return plan(renewAtMs - Date.now());
    }
    try {
      const next = await parts.request();
      if (ended) return;
      parts.install(next);
      gotAtMs = Date.now();
      renewAtMs = renewalTime(next);
      parts.log.info('Server certificate renewed', {
        expires: new Date(next.expiresMs).toISOString(),
      });
      plan(renewAtMs - Date.now());
    } catch (error) {
      parts.log.warn('Server certificate could not be renewed, trying again', errorFields(error));
      plan(parts.timing.retryMs);
    }
  };
  plan(renewAtMs - Date.now());
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

const renewalTime = (certificate: ServerCertificate): number =>
  Date.now() + ((certificate.expiresMs - Date.now()) * 2) / 3;

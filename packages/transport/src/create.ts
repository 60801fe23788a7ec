import { type EdgeHubTiming, EdgeHubTransport, missingEdgeVariables } from './edge-hub.ts';
import { NoTransport } from './no-transport.ts';
import type { Transport } from './port.ts';

export interface TransportLog {
  warn(event: string, fields?: Record<string, unknown>): void;
  info(event: string, fields?: Record<string, unknown>): void;
  debug(event: string, fields?: Record<string, unknown>): void;
}

export interface CreateTransportOptions {
  environment: NodeJS.ProcessEnv;
  log: TransportLog;
  timing?: Partial<EdgeHubTiming>;
}

/**
 * The transport that the environment asks for: `HOLDFAST_TRANSPORT=none`, or the edge hub.
 * @throws Error with `problems`, one line for each variable that is missing
 */
export function createTransport(options: CreateTransportOptions): Transport {
  if (options.environment.HOLDFAST_TRANSPORT === 'none') return new NoTransport();
  const missing = missingEdgeVariables(options.environment);
  if (missing.length > 0) {
    const problems = missing.map((name) => `${name}: is missing, IoT Edge sets it for its modules`);
    problems.push('HOLDFAST_TRANSPORT: set it to none to run without a hub');
    throw Object.assign(new Error(problems.join('; ')), {
      code: 'TRANSPORT_ENVIRONMENT',
      problems,
    });
  }
  return new EdgeHubTransport({
    log: options.log,
    ...(options.timing ? { timing: options.timing } : {}),
  });
}

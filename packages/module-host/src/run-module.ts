import { mkdirSync } from 'node:fs';
import { createTransport } from '@holdfast/transport';
import type { z } from 'zod';
import { readEnvironment, unknownVariables } from './environment.ts';
import { keepHeapSmall } from './heap.ts';
import { createLog, errorFields } from './log.ts';
import type { Clock, Log, ModuleDefinition } from './port.ts';
import { type RunningHost, startHost } from './start-host.ts';

/** Wrong environment (EX_CONFIG of sysexits.h): starting again will not help until somebody changes it. */
const EXIT_CONFIGURATION = 78;
const EXIT_FAILED = 1;
/** The container engine kills after 10 s. */
const DRAIN_MS = 9_500;

const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};

/**
 * Runs a module as this process, from environment to exit code: 0 after SIGTERM or SIGINT, 78 when the environment
 * is wrong, 1 for everything after which only a new start can help. Resolves once the module is started.
 */
export async function runModule<Env extends z.ZodObject, Settings extends z.ZodObject>(
  definition: ModuleDefinition<Env, Settings>,
): Promise<void> {
  keepHeapSmall();
  // Databases and settings hold what the site measures: nobody else on the host reads them.
  process.umask(0o077);
  // A reader of the log that goes away must not take the module with it.
  process.stdout.on('error', () => {});
  const log = createLog({
    write: (line) => process.stdout.write(line),
    wallMs: systemClock.wallMs,
    level: process.env.RuntimeLogLevel,
  });
  const fatal = (error: Error): never => {
    log.error('The module cannot go on and ends', errorFields(error));
    return process.exit(EXIT_FAILED);
  };
  process.on('uncaughtException', (error: Error) => {
    log.debug('Stack of the error', { stack: error?.stack });
    fatal(error);
  });
  process.on('unhandledRejection', (reason) => fatal(asError(reason)));

  const lifecycle: { running?: Promise<RunningHost> } = {};
  onSignals(log, () => lifecycle.running);
  lifecycle.running = start(definition, log, fatal);
  await lifecycle.running;
}

async function start<Env extends z.ZodObject, Settings extends z.ZodObject>(
  definition: ModuleDefinition<Env, Settings>,
  log: Log,
  fatal: (error: Error) => never,
): Promise<RunningHost> {
  try {
    const env = readEnvironment(
      { environment: definition.environment, httpPort: definition.httpPort ?? 8080 },
      process.env,
    );
    const unknown = unknownVariables(definition.environment, process.env);
    if (unknown.length > 0) {
      log.warn('Variables that nobody reads, misspelt perhaps', { variables: unknown });
    }
    const transport = createTransport({ environment: process.env, log });
    mkdirSync(env.HOLDFAST_DATA_DIR, { recursive: true });
    return await startHost(definition, env, {
      transport,
      log,
      clock: systemClock,
      environment: process.env,
      fatal,
    });
  } catch (error) {
    return refuseToStart(log, error as Error & { problems?: readonly string[]; code?: string });
  }
}

function refuseToStart(
  log: Log,
  error: Error & { problems?: readonly string[]; code?: string },
): never {
  if (error.problems !== undefined) {
    for (const problem of error.problems) log.error(`Cannot start: ${problem}`);
    process.exit(EXIT_CONFIGURATION);
  }
  log.debug('Stack of the error', { stack: error.stack });
  log.error('The module could not start', errorFields(error));
  process.exit(EXIT_FAILED);
}

/** As process 1 of a container, Node does nothing on SIGTERM by itself. */
function onSignals(log: Log, running: () => Promise<RunningHost> | undefined): void {
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) {
      // Somebody pressed Ctrl-C again.
      if (signal === 'SIGINT') process.exit(130);
      return;
    }
    stopping = true;
    log.info('Stopping', { signal });
    // Holds the process: one that ran out of work before its stores are closed would end with 0.
    setTimeout(() => {
      log.error('Stopping took too long, ending now', { limitMs: DRAIN_MS });
      process.exit(EXIT_FAILED);
    }, DRAIN_MS);
    try {
      await (await running())?.stop();
    } catch (error) {
      log.error('Stopping failed', errorFields(error));
      process.exit(EXIT_FAILED);
    }
    log.info('Stopped');
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
}

const asError = (reason: unknown): Error =>
  typeof reason === 'object' && reason !== null && 'message' in reason
    ? (reason as Error)
    : new Error(String(reason));

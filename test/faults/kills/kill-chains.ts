import type { EdgeEvent } from '@holdfast/edge';
import { FaultFound } from '../scenario.ts';
import type { Environment, FaultSite } from '../site/fault-site.ts';
import { type ArmedKill, killEnvironment } from './arm.ts';
import type { Victim } from './kill-points.ts';

/** Exit code of a process that ended by SIGKILL. */
const KILLED = 137;

/**
 * With readings flowing each point is passed within a second or two; a machine under load, and neighbours that die
 * all the time, take longer. Doubled at each further try.
 */
const REACH_MS = 15_000;
const TRIES = 4;

/**
 * The kills of one process, one life each: it starts armed with one kill, dies of it, and starts armed with the next;
 * the last start is unarmed. States: **armed** (a life that will kill itself; exits by its kill to the next, or by
 * the timer, when nothing came by: killed from outside and tried again later, at the first pass), **done**.
 */
class KillChain {
  readonly done: Promise<void>;
  fired = 0;
  /** Kills from outside: to begin, and of lives that nothing came by. */
  outside = 0;
  readonly #victim: Victim;
  readonly #parts: ChainParts;
  readonly #queue: ArmedKill[];
  /** Tries of each point at which nothing came by. */
  readonly #missed = new Map<string, number>();
  #armed: ArmedKill | undefined;
  #byUs = false;
  #timer: NodeJS.Timeout | undefined;
  #resolve!: () => void;
  #reject!: (error: Error) => void;

  constructor(victim: Victim, kills: readonly ArmedKill[], parts: ChainParts) {
    this.#victim = victim;
    this.#queue = [...kills];
    this.#parts = parts;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // The first life was not armed, and ends here.
    this.#killFromOutside();
  }

  onEvent(event: EdgeEvent): void {
    if (event.kind === 'started' && event.id === this.#victim) this.#started();
    if (event.kind === 'ended' && event.id === this.#victim) this.#ended(event.exitCode);
  }

  stop(error: Error): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#parts.environment[this.#victim] = {};
    this.#reject(error);
  }

  #started(): void {
    const tries = this.#missed.get(this.#armed?.point.name ?? '') ?? 0;
    if (this.#armed === undefined) this.#resolve();
    else this.#timer = setTimeout(() => this.#nothingCameBy(), REACH_MS * 2 ** tries);
  }

  #ended(exitCode: number): void {
    clearTimeout(this.#timer);
    if (exitCode !== KILLED) {
      const said = this.#parts.site.errors.slice(-2).join(' | ');
      const found = `${this.#victim} ended by itself with code ${exitCode} after a kill`;
      this.stop(new FaultFound(`${found}: ${said}`));
      return;
    }
    if (this.#byUs) this.#byUs = false;
    else if (this.#armed !== undefined) {
      this.fired += 1;
      this.#missed.delete(this.#armed.point.name);
    }
    this.#armed = this.#queue.shift();
    // Read when the process starts again, a few ms from now.
    const armed = this.#armed;
    this.#parts.environment[this.#victim] = armed === undefined ? {} : killEnvironment(armed);
  }

  #nothingCameBy(): void {
    const armed = this.#armed;
    if (armed === undefined) return;
    const { name } = armed.point;
    const tries = (this.#missed.get(name) ?? 0) + 1;
    if (tries === TRIES) {
      this.stop(new Error(`nothing ever came by the kill point ${name}`));
      return;
    }
    this.#missed.set(name, tries);
    this.#queue.push({ ...armed, pass: 1 });
    this.#killFromOutside();
  }

  #killFromOutside(): void {
    this.#byUs = true;
    this.outside += 1;
    this.#parts.site.site.edge.kill(this.#victim);
  }
}

interface ChainParts {
  site: FaultSite;
  /** The one that the site reads at each start. */
  environment: Record<string, Environment>;
}

/**
 * Lets processes kill themselves as planned, those of different processes at the same time, each process in the
 * order given. Resolves when all have fired and every process runs unarmed; readings must flow meanwhile.
 * @throws FaultFound when a process ends otherwise
 */
export async function runKills(
  kills: readonly ArmedKill[],
  parts: ChainParts,
): Promise<{ atPoints: number; atRandom: number }> {
  const victims = [...new Set(kills.map(({ point }) => point.process))];
  const chains = victims.map(
    (victim) =>
      new KillChain(
        victim,
        kills.filter(({ point }) => point.process === victim),
        parts,
      ),
  );
  const off = parts.site.site.edge.onEvent((event) => {
    for (const chain of chains) chain.onEvent(event);
  });
  try {
    await Promise.all(chains.map(({ done }) => done));
  } catch (error) {
    for (const chain of chains) {
      chain.stop(error as Error);
      chain.done.catch(() => {});
    }
    throw error;
  } finally {
    off();
  }
  const sum = (numbers: number[]): number => numbers.reduce((total, each) => total + each, 0);
  return {
    atPoints: sum(chains.map(({ fired }) => fired)),
    atRandom: sum(chains.map(({ outside }) => outside)),
  };
}

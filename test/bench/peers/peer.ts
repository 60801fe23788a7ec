import type { Source } from './sources.ts';

/** Folders of one run. */
export interface Place {
  /** What is installed once and stays: virtual environments, npm packages, binaries. */
  cache: string;
  /** What the peer must not lose; in the run with a full disk a small volume of its own. */
  store: string;
  /** Everything else: logs, generated configuration. Never full. */
  work: string;
  /** Something is broken on purpose, and then each reading is looked for. */
  disturbed: boolean;
}

/** One way to do the work, in one configuration. */
export interface Peer {
  /** Unique, kebab-case: `python-http-durable`. What `--only` selects. */
  name: string;
  product: string;
  configuration: 'default' | 'most durable';
  /** When the source gets its acknowledgement, and from whom. */
  acknowledges: string;
  /** How it is set up: batches, transactions, what is synced. */
  setup: string;
  /** Whether it runs the model; one that cannot only takes in and stores. */
  scores: boolean;
  /**
   * For a peer that acknowledges what it has not stored yet: how many readings may be so, in single messages and in
   * batches, below the number from which on it or its broker drops. In the measurements of speed the load waits for
   * the store beyond it, since otherwise the speed of a queue in memory would be measured.
   */
  aheadMax?: { singles: number; batched: number };
  /** How long nothing may change before all has arrived, where it writes more rarely than others. */
  calmMs?: number;
  /** Installs what is missing and says which versions run. @throws Error with a sentence when it cannot run here */
  install(cache: string): Promise<string>;
  start(place: Place): Promise<RunningPeer>;
}

export interface RunningPeer {
  source(): Source;
  /** Processes that do the work, with their ids of now; each comes back by itself when it ends. */
  processes(): { id: string; pid: number | undefined; restarts: number }[];
  kill(id: string): void;
  /** Readings in the store so far, copies included. Undefined when it cannot tell now. */
  storedSoFar(): Promise<number | undefined>;
  /** Number of every reading in the store, a number twice where a reading is there twice; `sent` is above all numbers. */
  stored(sent: number): Promise<Iterable<number>>;
  stop(): Promise<void>;
}

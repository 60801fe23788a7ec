import { z } from 'zod';

/** Places in the hub at which a test may have it killed. */
export const POINTS = [
  'before-commit',
  'after-commit',
  'after-puback',
  'before-deliver',
  'after-ack',
] as const;
export type Point = (typeof POINTS)[number];

/** Fault switches; what is absent stays as it is, `null` or `false` switches off. */
export const FaultRequest = z.strictObject({
  /** New connections: `unavailable` is CONNACK 3, `unauthorized` CONNACK 5, `reset` ends the socket. */
  refuseConnections: z.enum(['unavailable', 'unauthorized', 'reset']).nullable().optional(),
  /** Stores the next `count` messages of a client but does not acknowledge them. */
  withholdPuback: z
    .strictObject({ client: z.string(), count: z.int().min(1) })
    .nullable()
    .optional(),
  /** Ends the connection after the acknowledgement of the next `count` messages of a client. */
  dropAfterPuback: z
    .strictObject({ client: z.string(), count: z.int().min(1) })
    .nullable()
    .optional(),
  /** SIGKILLs the hub itself at the `after`-th time that it gets there. */
  dieAt: z
    .strictObject({ point: z.enum(POINTS), after: z.int().min(1).default(1) })
    .nullable()
    .optional(),
  /** Ends the connections of these clients now. */
  disconnect: z.array(z.string()).optional(),
  /** Added to the hub's clock: tokens and times to live expire early or late. */
  clockSkewMs: z.int().optional(),
});
export type FaultRequest = z.infer<typeof FaultRequest>;

interface Counted {
  client: string;
  count: number;
}

/** The present state of the switches. All off in normal life. */
export class FaultSwitches {
  refuseConnections: 'unavailable' | 'unauthorized' | 'reset' | undefined;
  clockSkewMs = 0;
  readonly #kill: () => void;
  #withhold: Counted | undefined;
  #drop: Counted | undefined;
  #dieAt: { point: Point; after: number } | undefined;

  constructor(kill: () => void) {
    this.#kill = kill;
  }

  set(request: FaultRequest): void {
    if (request.refuseConnections !== undefined) {
      this.refuseConnections = request.refuseConnections ?? undefined;
    }
    if (request.withholdPuback !== undefined) this.#withhold = copy(request.withholdPuback);
    if (request.dropAfterPuback !== undefined) this.#drop = copy(request.dropAfterPuback);
    if (request.dieAt !== undefined) this.#dieAt = request.dieAt ?? undefined;
    if (request.clockSkewMs !== undefined) this.clockSkewMs = request.clockSkewMs;
  }

  /** Whether the acknowledgement of this message must not go out. */
  withholds(client: string): boolean {
    return consume(this.#withhold, client);
  }

  dropsAfterPuback(client: string): boolean {
    return consume(this.#drop, client);
  }

  /** The hub is at a named point. */
  at(point: Point): void {
    if (this.#dieAt === undefined || this.#dieAt.point !== point) return;
    this.#dieAt.after--;
    if (this.#dieAt.after <= 0) this.#kill();
  }
}

function consume(switched: Counted | undefined, client: string): boolean {
  if (switched === undefined || switched.client !== client || switched.count <= 0) return false;
  switched.count--;
  return true;
}

const copy = (counted: Counted | null): Counted | undefined =>
  counted === null ? undefined : { ...counted };

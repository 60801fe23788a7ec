/** What the books are kept on; the journal. */
export interface Ledger {
  accepted(): number;
  backlog(): { readings: number };
  readonly streams: readonly { appended: number; receipted: number; lost: number }[];
}

/**
 * Checks `accepted = receipted + in flight + lost` in two ways that share no counter: what the pipeline has
 * counted since the start against what the journal says now.
 */
export class Accounts {
  readonly #ledger: Ledger;
  readonly #start: { accepted: number; inFlight: number; lost: number };
  #accepted = 0;
  #receipted = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#start = { accepted: ledger.accepted(), inFlight: this.#unreceipted(), lost: this.lost };
  }

  /** Readings that the journal has just taken. */
  accepted(rows: number): void {
    this.#accepted += rows;
  }

  /** Runs a step that takes in a receipt, and counts by how much the stream has advanced. */
  advanced(step: () => void): void {
    const before = this.#unreceipted();
    const lostBefore = this.lost;
    step();
    this.#receipted += before - this.#unreceipted() - (this.lost - lostBefore);
  }

  get inFlight(): number {
    return this.#ledger.backlog().readings;
  }

  get lost(): number {
    return this.#ledger.streams.reduce((sum, { lost }) => sum + lost, 0);
  }

  /** Over all epochs. */
  get receipted(): number {
    return this.#ledger.accepted() - this.inFlight - this.lost;
  }

  get hold(): boolean {
    const { accepted, inFlight, lost } = this.#start;
    return (
      this.#ledger.accepted() === accepted + this.#accepted &&
      this.inFlight === this.#unreceipted() &&
      this.inFlight === inFlight + this.#accepted - this.#receipted - (this.lost - lost)
    );
  }

  #unreceipted(): number {
    return this.#ledger.streams.reduce(
      (sum, { appended, receipted }) => sum + appended - receipted,
      0,
    );
  }
}

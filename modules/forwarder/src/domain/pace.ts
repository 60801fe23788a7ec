/**
 * Time without an answer after which a request is given up, in ms. Short, so that a connection that died without a word
 * costs little of the 10 s in which delivery goes on after the link has come back.
 */
const PATIENCE_MS = 5_000;
/** An answer faster than this lets pieces grow, one slower than that makes them shrink, in ms. */
const QUICK_MS = 1_500;
const SLOW_MS = 4_000;
/** What is cut off sooner says nothing about its size, in ms. */
const CUT_MS_MIN = 500;
/** Bytes of one request: 8 KiB pass in a second at 64 kbit/s; from 4 MiB on the answers no longer count. */
const PIECE_BYTES_MIN = 8 * 1024;
const PIECE_BYTES_MAX = 4 * 1024 * 1024;
const PIECE_BYTES_FIRST = 256 * 1024;
/** For a request that cannot be cut into pieces: bytes that even a bad link moves in a ms (16 kbit/s). */
const BYTES_PER_MS_LEAST = 2;

/**
 * How much one request carries and how long it may take, learnt from the answers. A dead connection and a slow link
 * look alike from here: no answer. So a request that is given up makes the pieces smaller, until they pass within the
 * patience; and only a link that answers something else meanwhile is granted more patience. Pure: times are arguments.
 */
export class Pace {
  readonly #patienceMsMax: number;
  #patienceMs: number;
  #pieceBytes = PIECE_BYTES_FIRST;
  /** Whether the last request was given up, and nothing is known since. */
  #doubt = false;

  /** @param timeoutMs longest patience, as set by the operator */
  constructor(timeoutMs: number) {
    this.#patienceMsMax = timeoutMs;
    this.#patienceMs = Math.min(PATIENCE_MS, timeoutMs);
  }

  /** Most bytes of one request. */
  get pieceBytes(): number {
    return this.#pieceBytes;
  }

  /** Longest time for one request of so many bytes, in whole ms. */
  limitMs(bytes: number): number {
    const beyond = bytes <= this.#pieceBytes ? 0 : bytes / BYTES_PER_MS_LEAST;
    return Math.ceil(this.#patienceMs + beyond);
  }

  /** A request with so many bytes has been answered after so many ms. */
  answered(bytes: number, ms: number): void {
    this.#doubt = false;
    this.#patienceMs = this.#bounded(Math.max(PATIENCE_MS, 3 * ms));
    // Small requests say nothing about how much the link can carry.
    if (bytes < this.#pieceBytes / 2) return;
    if (ms < QUICK_MS) this.#resize(this.#pieceBytes * 2);
    else if (ms > SLOW_MS) this.#resize((bytes * QUICK_MS) / ms);
  }

  /** A request with so many bytes got no answer in time. */
  givenUp(bytes: number): void {
    this.#doubt = true;
    this.#resize(Math.min(bytes, this.#pieceBytes) / 4);
  }

  /** A request with so many bytes was cut off after so many ms: a link that does not hold for it needs smaller ones. */
  cutOff(bytes: number, ms: number): void {
    if (ms >= CUT_MS_MIN) this.#resize(Math.min(bytes, this.#pieceBytes) / 2);
  }

  /** The store has answered something small. If a request was given up just before, the link is slow, not dead. */
  alive(): void {
    if (!this.#doubt) return;
    this.#doubt = false;
    this.#patienceMs = this.#bounded(this.#patienceMs * 2);
  }

  #bounded(ms: number): number {
    return Math.min(ms, this.#patienceMsMax);
  }

  #resize(bytes: number): void {
    const whole = Math.round(bytes);
    this.#pieceBytes = Math.min(Math.max(whole, PIECE_BYTES_MIN), PIECE_BYTES_MAX);
  }
}

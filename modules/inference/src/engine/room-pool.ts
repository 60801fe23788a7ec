const ROOMS_MAX = 4;

/**
 * Buffers that came back from the worker: a new one for each run would wait for a rare collection in there. Small ones
 * are not kept.
 */
export class RoomPool {
  readonly #leastBytes: number;
  readonly #rooms: ArrayBuffer[] = [];
  #mostBytes: number;

  constructor(leastBytes: number) {
    this.#leastBytes = leastBytes;
    this.#mostBytes = leastBytes;
  }

  /** At least so many bytes, not zeroed. */
  take(bytes: number): ArrayBuffer {
    const index = this.#rooms.findIndex((room) => room.byteLength >= bytes);
    const [room] = index < 0 ? [] : this.#rooms.splice(index, 1);
    this.#mostBytes = Math.max(this.#mostBytes, bytes);
    return room ?? new ArrayBuffer(Math.max(bytes, this.#leastBytes));
  }

  giveBack(buffers: readonly ArrayBuffer[]): void {
    for (const buffer of buffers) {
      const fits = buffer.byteLength >= this.#leastBytes && buffer.byteLength <= this.#mostBytes;
      if (fits && this.#rooms.length < ROOMS_MAX) this.#rooms.push(buffer);
    }
  }
}

import type { Shape } from './shapes.ts';

/** How much of a `data` field there is. Packed varints are not counted one by one: 1 to 10 bytes each. */
export interface Amount {
  /** Of the field's values, without their headers. */
  bytes: number;
  /** Fewest and most values that it can hold. */
  itemsMin: number;
  itemsMax: number;
}

/** One message while it is read, and what is kept of it. */
export class Message {
  readonly shape: Shape;
  /** Where it ends in the file. */
  readonly end: number;
  /** Name of the field that it is the value of, with the count of its kind for those that may come many times. */
  readonly place: string;
  readonly #values: Record<string, number | string | number[] | Amount | Message[]> = {};
  /** Messages of each kind so far, kept or not. */
  readonly #counts: Record<string, number> = {};

  constructor(shape: Shape, end: number, place: string) {
    this.shape = shape;
    this.end = end;
    this.place = place;
  }

  setInt(name: string, value: number): void {
    this.#values[name] = value;
  }
  setText(name: string, value: string): void {
    this.#values[name] = value;
  }
  /** Adds to a list and returns how long it is now. */
  push(name: string, value: number): number {
    const list = this.ints(name);
    this.#values[name] = list;
    return list.push(value);
  }
  keep(name: string, child: Message): void {
    const list = this.all(name);
    this.#values[name] = list;
    list.push(child);
  }
  add(name: string, amount: Amount): void {
    const sum = this.amount(name);
    this.#values[name] = {
      bytes: (sum?.bytes ?? 0) + amount.bytes,
      itemsMin: (sum?.itemsMin ?? 0) + amount.itemsMin,
      itemsMax: (sum?.itemsMax ?? 0) + amount.itemsMax,
    };
  }
  /** Counts one more message in a field; returns how many came before. */
  count(name: string): number {
    const before = this.#counts[name] ?? 0;
    this.#counts[name] = before + 1;
    return before;
  }

  int(name: string): number | undefined {
    return this.#values[name] as number | undefined;
  }
  /** Empty when it is absent, as protobuf has it. */
  text(name: string): string {
    return (this.#values[name] as string | undefined) ?? '';
  }
  hasText(name: string): boolean {
    return this.#values[name] !== undefined;
  }
  ints(name: string): number[] {
    return (this.#values[name] as number[] | undefined) ?? [];
  }
  amount(name: string): Amount | undefined {
    return this.#values[name] as Amount | undefined;
  }
  all(name: string): Message[] {
    return (this.#values[name] as Message[] | undefined) ?? [];
  }
  one(name: string): Message | undefined {
    return this.all(name)[0];
  }
}

/** `graph.node[3].attribute[0].t`, for errors. */
export const pathOf = (stack: readonly Message[]): string =>
  stack
    .slice(1)
    .map(({ place }) => place)
    .join('.');

import type { DiskFile } from './disk-file.ts';

/** A change of the names of one folder: all of it is found, or nothing. No node: the name is gone. */
interface NameChange {
  /** Number in the order of all changes of names on the disk. */
  order: number;
  names: readonly [name: string, node: DiskNode | undefined][];
}

export type DiskNode = DiskFile | DiskFolder;

/** The names of one folder: all changes since the start, of which the first `#durable` are on the disk for sure. */
export class DiskFolder {
  /** As the processes see them. */
  readonly entries = new Map<string, DiskNode>();
  readonly parent: DiskFolder | undefined;
  readonly #changes: NameChange[] = [];
  #durable = 0;

  constructor(parent?: DiskFolder) {
    this.parent = parent;
  }

  change(order: number, names: NameChange['names']): void {
    this.#changes.push({ order, names });
    for (const [name, node] of names) {
      if (node === undefined) this.entries.delete(name);
      else this.entries.set(name, node);
    }
  }

  /** Names of this folder and its own name above are durable. */
  sync(): void {
    this.#durable = this.#changes.length;
    this.parent?.syncNameOf(this);
  }

  /** What made this node known by its name here is durable, with everything before it in this folder. */
  syncNameOf(node: DiskNode): void {
    const last = this.#changes.findLastIndex(({ names }) => names.some(([, of]) => of === node));
    this.#durable = Math.max(this.#durable, last + 1);
    this.parent?.syncNameOf(this);
  }

  get changes(): number {
    return this.#changes.length;
  }

  get durable(): number {
    return this.#durable;
  }

  /** How many of the changes came up to this one of all folders. */
  changesUpTo(order: number): number {
    const after = this.#changes.findIndex((change) => change.order > order);
    return Math.max(this.#durable, after < 0 ? this.#changes.length : after);
  }

  /** The names after the first `count` changes. */
  found(count: number): Map<string, DiskNode> {
    const found = new Map<string, DiskNode>();
    for (const { names } of this.#changes.slice(0, count)) {
      for (const [name, node] of names) {
        if (node === undefined) found.delete(name);
        else found.set(name, node);
      }
    }
    return found;
  }
}

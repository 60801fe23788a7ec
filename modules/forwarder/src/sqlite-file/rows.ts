import { cellsOf, childrenOf, PAGE, pageKind, type RawRow, readCell } from './cells.ts';
import type { StoreImage } from './image.ts';

/** Where a table or index begins. */
export interface TreeRoot {
  /** Name of the table; an index has the name of its own. */
  name: string;
  root: number;
}

interface Walk {
  depth: number;
  /** Pages of this tree so far. */
  path: Set<number>;
  /** Whether rows are wanted. */
  look: boolean;
}

/** Depth of the deepest tree: with 4 KiB pages five levels hold more than any disk. */
const DEPTH_MAX = 12;

/**
 * Rows of a database without SQLite, so that one bad page costs what is on it and nothing else. Gives every row that can
 * be read, also damaged ones: the caller must ask each for its checksum.
 */
export class RowReader {
  readonly #image: StoreImage;
  readonly #seen = new Set<number>();
  /** Undefined when the list of free pages is damaged. */
  readonly #free: ReadonlySet<number> | undefined;
  #listDoubtful = false;

  constructor(image: StoreImage) {
    this.#image = image;
    this.#free = this.#freePages();
  }

  /** Tables and indexes by the catalogue on page 1; those whose entry is damaged are missing. */
  trees(): TreeRoot[] {
    const trees: TreeRoot[] = [];
    for (const { values } of this.rows(1)) {
      const [, name, , root] = values;
      if (typeof name === 'string' && typeof root === 'number') trees.push({ name, root });
    }
    return trees;
  }

  /** Rows of one tree, in its order. A damaged inner page costs the way to its children, see `strays`. */
  *rows(root: number): Generator<RawRow> {
    yield* this.#walk(root, { depth: 0, path: new Set(), look: true });
  }

  /** Marks the pages of a tree as its own, for `strays`, without a look at its rows. */
  visit(root: number): void {
    for (const _ of this.#walk(root, { depth: 0, path: new Set(), look: false }));
  }

  /**
   * Rows on leaf pages that no tree led to and that are not free: children of a damaged inner page. Overflow pages begin
   * with a page number, so never with the kind of a leaf. Call it after all
   * trees have been read. Nothing when the list of free pages is damaged too: what was deleted must not come back.
   */
  *strays(): Generator<RawRow> {
    const free = this.#free;
    if (free === undefined || this.#listDoubtful) return;
    for (let number = 2; number <= this.#image.pageCount; number++) {
      if (this.#seen.has(number) || free.has(number)) continue;
      const page = this.#image.page(number);
      if (page === undefined) continue;
      const kind = pageKind(page, number);
      if (kind === PAGE.tableLeaf || kind === PAGE.indexLeaf) yield* this.#cells(page, number);
    }
  }

  *#walk(number: number, { depth, path, look }: Walk): Generator<RawRow> {
    const page = this.#image.page(number);
    if (page === undefined || depth > DEPTH_MAX || path.has(number)) return;
    path.add(number);
    if (this.#free?.has(number) === true) {
      // A tree and the list of free pages want the same page: one of them is damaged, and free pages hold what was
      // deleted. So this page is left alone, and the list says nothing about others any more.
      this.#listDoubtful = true;
      return;
    }
    this.#seen.add(number);
    const kind = pageKind(page, number);
    if (kind === PAGE.tableLeaf || kind === PAGE.indexLeaf) {
      if (look) yield* this.#cells(page, number);
      return;
    }
    if (kind !== PAGE.tableInner && kind !== PAGE.indexInner) return;
    // In an index, and so in a table without row numbers, inner pages hold rows as well.
    if (look && kind === PAGE.indexInner) yield* this.#cells(page, number);
    for (const child of childrenOf(page, number)) {
      yield* this.#walk(child, { depth: depth + 1, path, look });
    }
  }

  *#cells(page: Buffer, number: number): Generator<RawRow> {
    const kind = pageKind(page, number);
    for (const offset of cellsOf(page, number)) {
      const row = readCell(this.#image, page, { kind, offset });
      if (row !== undefined) yield row;
    }
  }

  /** Undefined when the list does not have as many pages as the header says. */
  #freePages(): Set<number> | undefined {
    const header = this.#image.page(1);
    if (header === undefined) return undefined;
    const free = new Set<number>();
    let trunk = header.readUInt32BE(32);
    while (trunk !== 0) {
      const page = this.#image.page(trunk);
      if (page === undefined || free.has(trunk)) return undefined;
      free.add(trunk);
      const count = page.readUInt32BE(4);
      if (count > (page.length - 8) / 4) return undefined;
      for (let i = 0; i < count; i++) free.add(page.readUInt32BE(8 + 4 * i));
      trunk = page.readUInt32BE(0);
    }
    const within = [...free].every((number) => number > 1 && number <= this.#image.pageCount);
    return within && free.size === header.readUInt32BE(36) ? free : undefined;
  }
}

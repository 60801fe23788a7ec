import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Seeded } from '@holdfast/testkit';
import { DATA_MODES, type DataMode, DiskFile } from './disk-file.ts';
import { DiskFolder, type DiskNode } from './disk-folder.ts';
import type { LogEntry } from './log.ts';

/**
 * How names are found: `strict` is what POSIX promises, each folder has kept some of its changes, up to some moment of
 * its own; `journalled` is what the common file systems do, all folders up to the same moment.
 */
export const NAME_MODES = ['strict', 'journalled'] as const;

/** What was decided about one image, for the message of a failure. */
export interface Image {
  names: (typeof NAME_MODES)[number];
  data: DataMode;
}

/**
 * A disk as the log describes it: it takes one operation after the other and gives, at any moment, a folder as it
 * could be found if the power failed now. See docs/decisions/0010-power-cuts.md for what is assumed.
 */
export class Disk {
  readonly #root = new DiskFolder();
  readonly #open = new Map<string, DiskNode>();
  /** Changes of names so far, and how many of them a journalled file system has committed. */
  #order = 0;
  #committed = 0;

  /** @param start a folder whose content is durable before the log begins */
  constructor(start?: string) {
    if (start !== undefined) this.#load(start, this.#root);
    this.#syncAll(this.#root);
  }

  apply(entry: LogEntry): void {
    switch (entry.kind) {
      case 'open':
        this.#opened(entry);
        break;
      case 'close':
        this.#open.delete(`${entry.pid}:${entry.fd}`);
        break;
      case 'write':
        this.#file(entry).write(entry.offset, entry.data);
        break;
      case 'truncate':
        this.#file(entry).truncate(entry.size);
        break;
      case 'sync':
        this.#synced(this.#node(entry));
        break;
      case 'mkdir':
      case 'unlink':
      case 'rmdir': {
        const [folder, name] = this.#place(entry.path);
        const node = entry.kind === 'mkdir' ? new DiskFolder(folder) : undefined;
        folder.change(++this.#order, [[name, node]]);
        break;
      }
      case 'rename':
      case 'link':
      case 'exchange':
        this.#moved(entry);
        break;
      case 'unseen':
        this.#unseen(entry.path);
        break;
      case 'output':
        break;
    }
  }

  /** Writes into an empty folder what could be found now. */
  image(into: string, random: Seeded): Image {
    const image: Image = { names: random.pick(NAME_MODES), data: random.pick(DATA_MODES) };
    const moment = random.int(this.#committed, this.#order);
    this.#write(
      this.#root,
      into,
      (folder) => {
        if (image.names === 'journalled') return folder.changesUpTo(moment);
        return random.int(folder.durable, folder.changes);
      },
      (file) => file.found(image.data, random),
    );
    return image;
  }

  #write(
    folder: DiskFolder,
    into: string,
    namesOf: (folder: DiskFolder) => number,
    dataOf: (file: DiskFile) => Buffer,
  ): void {
    mkdirSync(into, { recursive: true });
    for (const [name, node] of folder.found(namesOf(folder))) {
      const target = path.join(into, name);
      if (node instanceof DiskFolder) this.#write(node, target, namesOf, dataOf);
      else writeFileSync(target, dataOf(node));
    }
  }

  #opened(entry: Extract<LogEntry, { kind: 'open' }>): void {
    let node = this.#find(entry.path);
    if (entry.created) {
      const [folder, name] = this.#place(entry.path);
      node = new DiskFile();
      folder.change(++this.#order, [[name, node]]);
    }
    if (node === undefined) throw new Error(`the log opens ${entry.path}, which it does not know`);
    if (entry.truncated && node instanceof DiskFile) node.truncate(0);
    this.#open.set(`${entry.pid}:${entry.fd}`, node);
  }

  /** On Linux file systems a sync of a file commits the journal, and so its name and all names before. */
  #synced(node: DiskNode): void {
    node.sync();
    if (node instanceof DiskFile) this.#syncNameOf(node, this.#root);
    this.#committed = this.#order;
  }

  #syncNameOf(node: DiskFile, folder: DiskFolder): void {
    for (const entry of folder.entries.values()) {
      if (entry === node) folder.syncNameOf(node);
      else if (entry instanceof DiskFolder) this.#syncNameOf(node, entry);
    }
  }

  #moved({ kind, from, to }: Extract<LogEntry, { from: string }>): void {
    const [folder, name] = this.#place(from);
    const [folderTo, nameTo] = this.#place(to);
    const node = folder.entries.get(name);
    if (node === undefined) throw new Error(`the log moves ${from}, which it does not know`);
    const other = kind === 'exchange' ? folderTo.entries.get(nameTo) : undefined;
    const source: [string, DiskNode | undefined][] = kind === 'link' ? [] : [[name, other]];
    this.#order += 1;
    if (folder === folderTo) {
      folder.change(this.#order, [...source, [nameTo, node]]);
      return;
    }
    folderTo.change(this.#order, [[nameTo, node]]);
    folder.change(this.#order, source);
  }

  #unseen(name: string): void {
    const node = this.#find(name);
    if (!name.endsWith('-shm') || !(node instanceof DiskFile)) {
      throw new Error(`${name} is written in a way that the log does not show`);
    }
    node.unseen = true;
  }

  #node({ pid, fd }: { pid: number; fd: number }): DiskNode {
    const node = this.#open.get(`${pid}:${fd}`);
    if (node === undefined) throw new Error(`the log uses descriptor ${fd}, which was not opened`);
    return node;
  }

  #file(entry: { pid: number; fd: number }): DiskFile {
    const node = this.#node(entry);
    if (node instanceof DiskFile) return node;
    throw new Error('the log writes into a folder');
  }

  #find(name: string): DiskNode | undefined {
    if (name === '') return this.#root;
    const [folder, last] = this.#place(name);
    return folder.entries.get(last);
  }

  #place(name: string): [DiskFolder, string] {
    const parts = name.split('/');
    let folder = this.#root;
    for (const part of parts.slice(0, -1)) {
      const next = folder.entries.get(part);
      if (!(next instanceof DiskFolder))
        throw new Error(`the log does not know ${part} of ${name}`);
      folder = next;
    }
    return [folder, parts[parts.length - 1]!];
  }

  #load(from: string, folder: DiskFolder): void {
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      const source = path.join(from, entry.name);
      const node = entry.isDirectory()
        ? new DiskFolder(folder)
        : new DiskFile(readFileSync(source));
      folder.change(++this.#order, [[entry.name, node]]);
      if (node instanceof DiskFolder) this.#load(source, node);
    }
  }

  #syncAll(folder: DiskFolder): void {
    folder.sync();
    for (const node of folder.entries.values()) if (node instanceof DiskFolder) this.#syncAll(node);
    this.#committed = this.#order;
  }
}

/** Removes the image before and writes another in its place. */
export function freshImage(disk: Disk, into: string, random: Seeded): Image {
  rmSync(into, { recursive: true, force: true });
  return disk.image(into, random);
}

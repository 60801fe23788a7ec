import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { LANES } from '@holdfast/contracts';
import type { Log } from '@holdfast/module-host';
import type Database from 'better-sqlite3';
import { chooseSteering, type Steering } from '../domain/steering.ts';
import { StoreImage } from '../sqlite-file/image.ts';
import { PAGE_BYTES, repairedLog, scanLog } from '../sqlite-file/log.ts';
import { RowReader } from '../sqlite-file/rows.ts';
import { isDamage, isMarked, storeDamaged, unmark } from './damage.ts';
import { openDatabase } from './database.ts';
import { InsightStore } from './insight-store.ts';
import { countDamage, type DamageKind, damageCounts } from './losses.ts';
import { Outbox } from './outbox.ts';
import {
  newest,
  PROOF_TABLES,
  proofOf,
  provenSteering,
  readAside,
  writeSteering,
} from './proof.ts';
import { keepCopy, setAside, syncFolder, unfinished, writeSynced } from './quarantine.ts';
import { salvage } from './salvage.ts';
import { SCHEMA_VERSION } from './schema.ts';

export interface StoreOptions {
  log: Log;
  site: string;
  wallMs: number;
  /** Called when the disk is full; true when that has made room. */
  giveUpReserve?(): boolean;
}

/**
 * Opens the forwarder's database whatever has become of it. In order: a log that is damaged in its middle is repaired
 * from the checksums behind it; a file that SQLite cannot read, or whose books do not agree with its rows, is put aside
 * and everything in it that proves itself goes into a new one; what is lost is counted and waits in `loss` for its
 * gap record. Never asks anybody to do anything.
 * @throws ForwarderError FWD_STORE_NEWER, and what the disk throws
 */
export function openStore(file: string, options: StoreOptions): Database.Database {
  const damage: Partial<Record<DamageKind, number>> = {};
  const marked = isMarked(file);
  if (repairLog(file, options)) damage.logs = 1;
  let db = marked || unfinished(file) !== undefined ? undefined : openIfWhole(file, options);
  if (db === undefined) {
    rebuild(file, options);
    damage.rebuilds = 1;
    db = openDatabase(file, options);
    proofOf(db).read();
  }
  const open = db;
  open.transaction(() => {
    for (const [what, count] of Object.entries(damage))
      countDamage(open, what as DamageKind, count);
  })();
  unmark(file);
  return open;
}

/** @returns undefined when it must be salvaged */
function openIfWhole(file: string, options: StoreOptions): Database.Database | undefined {
  let db: Database.Database | undefined;
  try {
    checkShape(file);
    db = openDatabase(file, options);
    settleSteering(db, options.log);
    // What every start reads, so that damage there is met here.
    for (const _ of new InsightStore(db).assets(() => undefined));
    damageCounts(db);
    const outbox = new Outbox(db);
    for (const [lane, { pending }] of Object.entries(outbox.lanes())) {
      const counted = outbox.countPending(lane as (typeof LANES)[number]);
      if (counted !== pending) {
        throw storeDamaged(`lane ${lane} has ${counted} records and should have ${pending}`);
      }
    }
    return db;
  } catch (error) {
    if (db?.open === true) db.close();
    if (!isDamage(error)) throw error;
    options.log.warn('The database is damaged', { message: (error as Error).message, file });
    return undefined;
  }
}

/** What SQLite does not ask, or asks too late: it deletes the log of an empty file and trusts the page size. */
function checkShape(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const logSize = statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0 && logSize === 0) {
    if (readAside(file) !== undefined) throw storeDamaged('the file is gone or empty');
    return;
  }
  if (existsSync(`${file}-journal`)) return;
  const image = new StoreImage(file);
  try {
    const header = image.page(1);
    if (size === PAGE_BYTES && header !== undefined && isEmpty(header)) return;
    if (size === 0 || header === undefined) throw storeDamaged('the file is empty, its log is not');
    if (size % PAGE_BYTES !== 0)
      throw storeDamaged(`the file ends within a page, at ${size} bytes`);
    if (!headerIsOurs(header)) throw storeDamaged('its header is not what SQLite writes here');
    if (header.readUInt32BE(60) > SCHEMA_VERSION && provenVersion(file, image) === SCHEMA_VERSION) {
      throw storeDamaged('its header names a version that its contents deny');
    }
    for (let page = size / PAGE_BYTES + 1; page <= header.readUInt32BE(28); page++) {
      if (!image.inLog(page)) throw storeDamaged(`the file is cut before page ${page}`);
    }
  } finally {
    image.close();
  }
}

/**
 * What the power leaves when it goes while a database is made: a page 1 without tables, for which SQLite has not chosen
 * format and encoding yet. (With a rollback journal beside it, SQLite undoes even that by itself.)
 */
const isEmpty = (header: Buffer): boolean =>
  header.toString('latin1', 0, 16) === 'SQLite format 3\0' &&
  header.readUInt32BE(44) === 0 &&
  header.readUInt32BE(56) === 0 &&
  header.readUInt16BE(100 + 3) === 0;

/** Everything in the header that never changes; SQLite takes some of it for a wish. By the file format's table. */
function headerIsOurs(header: Buffer): boolean {
  const format = header.subarray(18, 20);
  return (
    header.toString('latin1', 0, 16) === 'SQLite format 3\0' &&
    header.readUInt16BE(16) === PAGE_BYTES &&
    format.every((version) => version === 1 || version === 2) &&
    header.subarray(20, 24).equals(Buffer.from([0, 64, 32, 32])) &&
    header.readUInt32BE(44) === 4 &&
    // Free pages are given back step by step, or, in a database of version 0.1.0, not at all; never by SQLite itself.
    header.readUInt32BE(64) === (header.readUInt32BE(52) === 0 ? 0 : 1) &&
    header.readUInt32BE(56) === 1 &&
    header.readUInt32BE(68) === 0
  );
}

/** Version of the tables by a copy of the books, for when the header may be wrong. */
function provenVersion(file: string, image: StoreImage): number | undefined {
  const reader = new RowReader(image);
  const copies = reader
    .trees()
    .filter(({ name }) => PROOF_TABLES.some((table) => table === name))
    .flatMap(({ root }) => [...reader.rows(root)])
    .map(({ values }) => provenSteering(values[1], values[2]));
  return (newest(copies) ?? readAside(file))?.schema;
}

/** Makes the tables say what is proven: where each stream stands and what has been counted. */
function settleSteering(db: Database.Database, log: Log): void {
  const proof = proofOf(db);
  const { steering: proven, damaged } = proof.read();
  let tables: Steering | undefined;
  try {
    tables = proof.tables();
  } catch (error) {
    if (!isDamage(error) || proven === undefined) throw error;
  }
  const { steering, choice } = chooseSteering(tables, proven, () => {
    throw storeDamaged('no copy of its positions and counts proves itself');
  });
  if (choice === 'agree' && damaged === 0) return;
  proof.open = steering.open;
  // A new database, or one that another version has written, has no proof yet.
  if (choice === 'proof' || damaged > 0) {
    log.error('Positions and counts were damaged and are restored from their copy', {
      code: 'FWD_STORE_DAMAGED',
    });
  }
  db.transaction(() => {
    if (choice === 'proof') writeSteering(db, steering);
    proof.write();
  })();
}

/** @returns whether the log was damaged */
function repairLog(file: string, { log, wallMs }: StoreOptions): boolean {
  const logFile = `${file}-wal`;
  if (!existsSync(logFile)) return false;
  const bytes = readFileSync(logFile);
  const scan = scanLog(bytes);
  if (!scan.damaged) return false;
  keepCopy(file, logFile, wallMs);
  writeSynced(`${logFile}-new`, repairedLog(bytes, scan));
  renameSync(`${logFile}-new`, logFile);
  rmSync(`${file}-shm`, { force: true });
  syncFolder(path.dirname(file));
  log.error('The log of the database was damaged and is repaired', {
    ...{
      code: 'FWD_STORE_DAMAGED',
      pages: scan.frames.length,
      unread: scan.frames.length - scan.readable,
    },
  });
  return true;
}

/** Puts the damaged file aside and makes a new one of what proves itself. After a crash it begins again. */
function rebuild(file: string, options: StoreOptions): void {
  const started = performance.now();
  const aside = setAside(file, options.wallMs);
  const fresh = `${file}-new`;
  for (const suffix of ['', '-wal', '-shm', '-journal'])
    rmSync(`${fresh}${suffix}`, { force: true });
  const report = salvage(aside.file, fresh, { site: options.site, aside: readAside(file) });
  renameSync(fresh, file);
  syncFolder(path.dirname(file));
  aside.finish();
  options.log.error(
    'The database was damaged; what proves itself is saved, the rest is put aside',
    {
      code: 'FWD_STORE_DAMAGED',
      quarantine: path.dirname(aside.file),
      ...report,
      durationMs: Math.round(performance.now() - started),
    },
  );
}

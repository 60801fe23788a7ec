import type { Plant } from '../plants/plant.ts';

/** The 202 leaves 50 ms before the readings are in the journal. */
const acknowledgedBeforeCommit: Plant = {
  name: 'acknowledged-before-commit',
  file: 'modules/ingest/src/adapters/http-source.ts',
  find: 'const positions = await this.#parts.pipeline.accept(intake, origin);',
  replace: `setTimeout(() => void this.#parts.pipeline.accept(intake, origin).catch(() => {}), 50);
    const positions: JournalPosition[] = [];`,
};

/** A request that is repeated after its answer was lost is taken for a new one. */
const keyNotStored: Plant = {
  name: 'key-not-stored',
  file: 'packages/journal/src/journal.ts',
  find: 'if (key) this.#keys.insert(key, positions[index]!, wallMs);',
  replace: '',
};

/** The hub's acknowledgement is taken for a receipt. */
const hubTrusted: Plant = {
  name: 'hub-trusted',
  file: 'modules/ingest/src/stream-pump.ts',
  find: 'this.#ports.onSent(body.length);',
  replace: `this.#ports.onSent(body.length);
        this.receipt({ stream: this.stream.stream, epoch: this.stream.epoch, through: this.#sender.status.sent });`,
};

/** After a restart only new readings are sent. */
const resendOmitted: Plant = {
  name: 'resend-omitted-after-restart',
  file: 'packages/stream/src/sender.ts',
  find: 'this.#receipted = start.receipted;',
  replace: 'this.#receipted = start.appended;',
};

/** Position and effects are two transactions. */
const positionApart: Plant = {
  name: 'position-apart-from-effects',
  file: 'modules/forwarder/src/apply.ts',
  find: 'this.#store.setPosition(message.stream, message.epoch, message.last);',
  replace:
    'setTimeout(() => this.#store.setPosition(message.stream, message.epoch, message.last), 50);',
};

/** The receipt leaves, and the commit comes 200 ms later. */
const receiptBeforeCommit: Plant = {
  name: 'receipt-before-commit',
  file: 'modules/forwarder/src/forwarder.ts',
  find: 'transaction: (work, undo) => commits.run(work, undo),',
  replace: 'transaction: (work, undo) => void setTimeout(() => commits.run(work, undo), 200),',
};

/** Records are off the outbox before the store has them. */
const deliveredBeforeConfirmed: Plant = {
  name: 'delivered-before-confirmed',
  file: 'modules/forwarder/src/upload.ts',
  find: 'const outcome = await target.put(',
  replace: `sealing.delivered(blob);
      const outcome = await target.put(`,
};

/** A repeated upload takes another name, so that \`If-None-Match\` does not stop it. */
const nameChanges: Plant = {
  name: 'name-changes-at-each-try',
  file: 'modules/forwarder/src/upload.ts',
  find: 'const outcome = await target.put(file,',
  replace:
    "const outcome = await target.put({ ...file, name: file.name.replace('.parquet', '-' + Date.now() + '.parquet') },",
};

/** Bugs with a narrow window, which a kill at the right place finds. */
export const POINT_PLANTS: readonly Plant[] = [
  acknowledgedBeforeCommit,
  keyNotStored,
  hubTrusted,
  resendOmitted,
  positionApart,
  receiptBeforeCommit,
  deliveredBeforeConfirmed,
  nameChanges,
];

/** Bugs that a kill at any moment is likely to find. */
export const RANDOM_PLANTS: readonly Plant[] = [
  acknowledgedBeforeCommit,
  hubTrusted,
  resendOmitted,
  receiptBeforeCommit,
];

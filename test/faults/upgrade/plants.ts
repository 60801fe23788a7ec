import type { Plant } from '../plants/plant.ts';

/** What a developer may do to a format without a thought for the release before. */
export const UPGRADE_PLANTS: readonly Plant[] = [
  {
    name: 'journal-version-raised',
    file: 'packages/journal/src/database.ts',
    find: 'extend(db);\n}',
    replace: "extend(db);\n  db.pragma('user_version = 2');\n}",
  },
  {
    name: 'store-version-raised',
    file: 'modules/forwarder/src/adapters/schema.ts',
    find: "if (!tables.has('proofB')) extend(db);",
    replace: "db.pragma('user_version = 2');\n    if (!tables.has('proofB')) extend(db);",
  },
  {
    name: 'column-that-only-the-new-release-fills',
    file: 'packages/journal/src/database.ts',
    find: 'db.exec(STREAM_COPY_SQL);',
    replace: `db.exec(STREAM_COPY_SQL);
  db.exec(\`CREATE TRIGGER IF NOT EXISTS needed BEFORE INSERT ON key WHEN NEW.proof IS NULL
    BEGIN SELECT RAISE(ABORT, 'proof is missing'); END\`);`,
  },
  {
    name: 'rows-of-the-old-release-are-damage',
    file: 'modules/forwarder/src/adapters/proven-rows.ts',
    find: 'if (row.sum === null) return recordFits(row);',
    replace: 'if (row.sum === null) return false;',
  },
  {
    name: 'message-with-another-field',
    file: 'modules/inference/src/domain/outcome.ts',
    find: "kind: 'scores',",
    replace: "kind: 'scores', ...{ release: 'new' },",
  },
];

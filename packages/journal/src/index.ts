export { isDamage, LOG_BYTES } from './database.ts';
export * from './errors.ts';
export * from './group-commit.ts';
export * from './journal.ts';
export * from './port.ts';
export { type Quarantined, quarantine } from './quarantine.ts';
export type { SalvageReport } from './salvage.ts';

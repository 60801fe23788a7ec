export * from './read-rows.ts';
export * from './table-map.ts';
export * from './tables.ts';

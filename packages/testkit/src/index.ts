export * from './child-process.ts';
export * from './fake-clock.ts';
export * from './free-port.ts';
export * from './messages.ts';
export * from './seeded.ts';
export * from './tcp-gate.ts';
export * from './temporary-folder.ts';
export * from './until.ts';

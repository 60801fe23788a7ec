export * from './credentials.ts';
export * from './errors.ts';
export * from './fetch-bundle.ts';
export * from './port.ts';
export { type PushedBundle, type PushOptions, pushBundle } from './push-bundle.ts';
export { parseRef, showRef } from './ref.ts';
export { cleanPartials, holdsBundle } from './store.ts';

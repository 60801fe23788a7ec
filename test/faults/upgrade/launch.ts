/** Runs a module from the release whose root stands in `HOLDFAST_TEST_RELEASE`, so that a restart may change it. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const { HOLDFAST_TEST_RELEASE: root, IOTEDGE_MODULEID: module } = process.env;
if (root === undefined || module === undefined) throw new Error('HOLDFAST_TEST_RELEASE is not set');
await import(pathToFileURL(path.join(root, 'modules', module, 'src/main.ts')).href);

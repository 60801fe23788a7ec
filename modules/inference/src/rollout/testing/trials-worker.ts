/** Runs trials in a thread of plain Node: inside of jest each use of a global costs ten times as much. */
import { parentPort, workerData } from 'node:worker_threads';
import { simulateTrial } from './simulated-trial.ts';

const trials = workerData as Parameters<typeof simulateTrial>[0][];
parentPort!.postMessage(trials.map(simulateTrial));

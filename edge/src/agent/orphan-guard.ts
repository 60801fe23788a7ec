/**
 * Loaded before a module's own code (`node --import`). A container ends with its host; a child process would outlive
 * a supervisor that was killed. So it looks for its parent and ends itself, first with SIGTERM to let it finish.
 */
import { isMainThread } from 'node:worker_threads';

const LOOK_EVERY_MS = 250;
const FINISH_MS = 10_000;

const supervisor = Number(process.env.HOLDFAST_EDGE_SUPERVISOR_PID);
if (isMainThread && supervisor > 0) {
  delete process.env.HOLDFAST_EDGE_SUPERVISOR_PID;
  const timer = setInterval(() => {
    if (process.ppid === supervisor) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), FINISH_MS).unref();
  }, LOOK_EVERY_MS);
  timer.unref();
}

/**
 * A forwarder in a process of its own that is killed in the middle. It applies the stream up to row `ROWS` from
 * wherever its database stands, uploads, and exits with 0 when nothing is left. `KILL_STEP` names a step of an upload;
 * at its `KILL_COUNT`th time the process kills itself with SIGKILL.
 */
import { Rig } from './rig.ts';

const { CONNECTION, CONTAINER, FOLDER, ROWS, KILL_STEP, KILL_COUNT } = process.env;

let left = Number(KILL_COUNT ?? 0);
const rig = await Rig.start({
  connection: CONNECTION,
  folder: FOLDER ?? '.',
  settings: { upload: { container: CONTAINER, recordsMax: 3 } },
  options: {
    onStep: (step) => {
      if (step !== KILL_STEP || --left > 0) return;
      process.kill(process.pid, 'SIGKILL');
      // The signal is on its way; nothing more may happen.
      for (;;);
    },
  },
});
const { streams } = rig.module.status() as { streams: { through: number }[] };
rig.apply((streams[0]?.through ?? 0) + 1, Number(ROWS));
for (;;) {
  const { pending, left: why } = await rig.module.flush();
  if (pending === 0) break;
  console.log(`again: ${String(why)}`);
}
console.log(JSON.stringify(rig.module.status()));
await rig.stop();

import { renameSync, writeFileSync } from 'node:fs';
import type { Deployment } from '../deployment/deployment.ts';
import type { HubConfig } from '../hub/config.ts';

/** Writes the hub's configuration as one step: a hub that reads it meanwhile sees the old one or the new one. */
export function writeHubConfig(file: string, config: HubConfig): void {
  writeFileSync(`${file}.new`, JSON.stringify(config, null, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** The part of the hub's configuration that comes from the manifest. */
export const hubConfigOf = (
  deployment: Deployment,
): Pick<HubConfig, 'routes' | 'timeToLiveSecs' | 'desired'> => ({
  routes: deployment.routes,
  timeToLiveSecs: deployment.timeToLiveSecs,
  desired: {
    ...deployment.desired,
    // Of the agent's own section no more: it holds secrets, and nobody reads it here.
    $edgeAgent: { schemaVersion: deployment.agent.schemaVersion },
  },
});

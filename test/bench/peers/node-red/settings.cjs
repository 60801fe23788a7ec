// Settings of Node-RED for the bench: no editor, and the model for function nodes.
module.exports = {
  uiHost: '127.0.0.1',
  uiPort: Number(process.env.PEER_PORT),
  httpAdminRoot: false,
  apiMaxLength: '8mb',
  telemetry: { enabled: false, updateNotification: false },
  diagnostics: { enabled: false },
  functionGlobalContext: { scorer: require('./scorer.cjs') },
  logging: { console: { level: 'warn', metrics: false, audit: false } },
};

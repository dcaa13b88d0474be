// A stand-in for Claude Code: runs hooks as its child processes.

import { execFileSync } from 'node:child_process';

process.on('message', ({ program, input, env, cwd }) => {
  try {
    execFileSync(program, { input, env: { ...env, CLAUDE_PID: String(process.pid) }, cwd });
    process.send(null);
  } catch (error) {
    process.send(error.message);
  }
});

// This process ends with the test.
process.on('disconnect', () => process.exit());

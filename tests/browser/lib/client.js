// A process that stands for Claude Code: it is the parent of the hooks that it is asked to run.

import { execFileSync } from 'node:child_process';

process.on('message', ({ program, input, env, cwd }) => {
  try {
    execFileSync(program, { input, env: { ...env, CLAUDE_PID: String(process.pid) }, cwd });
    process.send(null);
  } catch (error) {
    process.send(error.message);
  }
});

// It ends with the test.
process.on('disconnect', () => process.exit());

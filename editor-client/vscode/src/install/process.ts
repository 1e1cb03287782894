/** Runs a command of an installation, which the user can cancel. */

import { spawn, type ChildProcess } from 'node:child_process';
import { homedir } from 'node:os';
import { createInterface } from 'node:readline';
import type * as vscode from 'vscode';
import type { Log } from '../server/log';
import { IS_WINDOWS } from './environment';

/** Where a command reports to, and how it is cancelled. */
export interface RunContext {
  readonly log: Log;
  readonly report: (phase: string) => void;
  readonly token: vscode.CancellationToken;
}

/** Environment variables that decide what Python imports, or where pip installs. */
const DECEPTIVE_VARIABLE = /^(PYTHON.*|VIRTUAL_ENV|PIP_(PREFIX|PYTHON|ROOT|TARGET|USER))$/i;

/**
 * Returns the environment variables for an installation: without those that would have pip take
 * packages in another place for installed ones, or install into another place.
 */
export function selectVariables(): NodeJS.ProcessEnv {
  const variables = Object.entries(process.env);
  return Object.fromEntries(variables.filter(([name]) => !DECEPTIVE_VARIABLE.test(name)));
}

/**
 * Runs a command; returns its exit code, or null if it was terminated.
 *
 * @param parsePhase returns the phase that a line of output begins, if it begins one
 */
export function runCommand(
  [command = '', ...args]: string[],
  { log, report, token }: RunContext,
  parsePhase: (line: string) => string | undefined,
): Promise<number | null> {
  log.main.info(`running ${[command, ...args].join(' ')}`);
  // In the home folder, so that no file of a project is imported as a Python module; in a process
  // group of its own, so that cancelling stops its child processes, too.
  const child = spawn(command, args, {
    cwd: homedir(),
    env: selectVariables(),
    windowsHide: true,
    detached: !IS_WINDOWS,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const cancellation = token.onCancellationRequested(() => {
    killGroup(child);
  });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      const phase = parsePhase(line);
      if (!line.startsWith('Progress ')) {
        log.main.info(line);
      }
      if (phase !== undefined) {
        report(phase);
      }
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      cancellation.dispose();
      resolve(code);
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) {
    return;
  }
  if (IS_WINDOWS) {
    spawn('taskkill', ['/pid', String(pid), '/t', '/f'], { windowsHide: true });
    return;
  }
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // It has just exited.
  }
}

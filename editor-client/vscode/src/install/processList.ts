/** Lists what runs on this machine, to find out whether a program's files are still in use. */

import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const PROC = '/proc';
const COMMANDS: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
  win32: [
    'powershell.exe', '-NoProfile', '-NonInteractive', '-Command',
    'Get-CimInstance Win32_Process | ForEach-Object CommandLine',
  ],
};
const OTHERS = ['ps', '-axww', '-o', 'args='] as const;
const TIMEOUT_MS = 30_000;
const MAX_BYTES = 64 * 1024 * 1024;

/** Returns the command lines of all processes; undefined if they cannot be listed. */
export async function listCommandLines(): Promise<string[] | undefined> {
  try {
    return process.platform === 'linux' ? await readProc() : await runLister();
  } catch {
    return undefined;
  }
}

async function readProc(): Promise<string[]> {
  const ids = (await readdir(PROC)).filter((name) => /^\d+$/.test(name));
  return Promise.all(ids.map((id) => (
    readFile(join(PROC, id, 'cmdline'), 'utf8').catch(() => '') // it has just ended
  )));
}

async function runLister(): Promise<string[]> {
  const [command, ...args] = COMMANDS[process.platform] ?? OTHERS;
  const options = { timeout: TIMEOUT_MS, maxBuffer: MAX_BYTES, windowsHide: true };
  return (await promisify(execFile)(command, args, options)).stdout.split('\n');
}

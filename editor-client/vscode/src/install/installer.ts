/**
 * Installs the server, when the user says so: a virtual environment of this extension's own, pip,
 * and the proof that what was installed answers.
 */

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import {
  adoptEnvironment, BIN, IS_WINDOWS, newEnvironment, PROGRAM, removeEnvironment,
} from './environment';
import type { Installation } from './origin';
import type { Log } from '../server/log';
import { PipOutput } from './pipOutput';
import { findPython, isPip } from './python';
import { chooseSource, confirm, indexArguments, type Source } from './source';
import type { Status } from '../ui/status';

const ANSWER_MS = 120_000; // a first start compiles what was installed

/** What an installation needs of the rest of the extension. */
export interface Around {
  readonly installation: Installation;
  readonly log: Log;
  readonly status: Status;
}

let isInstalling = false;

/** Asks what to install and installs it; returns whether that was done. */
export async function installServer(around: Around): Promise<boolean> {
  if (isInstalling) {
    void vscode.window.showInformationMessage('The Parrotlet server is already being installed.');
    return false;
  }
  const source = await chooseSource(around.installation);
  if (source === undefined) {
    return false;
  }
  try {
    const python = await findPython(around.installation.python);
    return await confirm(source, python) && await installWithProgress(source, python, around);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    around.log.main.error(`installing the server failed: ${reason}`);
    void vscode.window.showErrorMessage(
      `The Parrotlet server was not installed: ${reason}.`, 'Show Log',
    ).then((chosen) => {
      if (chosen !== undefined) {
        around.log.main.show();
      }
    });
    return false;
  }
}

async function installWithProgress(
  source: Source, python: string, around: Around,
): Promise<boolean> {
  setInstalling(true);
  const { status, installation: { storage } } = around;
  const environment = await newEnvironment(storage);
  let isDone = false;
  try {
    const version = await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: 'Installing the Parrotlet server',
        cancellable: true,
      },
      (progress, token) => {
        const report = (phase: string): void => {
          status.installing(phase);
          progress.report({ message: capitalized(phase) });
        };
        return install(source, python, environment, { log: around.log, report, token });
      },
    );
    isDone = version !== undefined;
    if (version !== undefined) {
      await adoptEnvironment(storage, environment);
      void vscode.window.showInformationMessage(`Installed the Parrotlet server ${version}.`);
    }
  } finally {
    if (!isDone) {
      await removeEnvironment(environment);
    }
    setInstalling(false);
    status.installing(undefined);
  }
  return isDone;
}

/** How an installation tells how far it is, and learns that it is to stop. */
interface Steps {
  readonly log: Log;
  readonly report: (phase: string) => void;
  readonly token: vscode.CancellationToken;
}

/** Returns the version of the server that was installed, undefined if that was cancelled. */
async function install(
  source: Source, python: string, environment: string, steps: Steps,
): Promise<string | undefined> {
  const { log, report, token } = steps;
  const isCancelled = (): boolean => token.isCancellationRequested;
  report('creating a virtual environment');
  const made = await run([python, '-m', 'venv', environment], steps, () => undefined);
  if (isCancelled()) {
    return undefined;
  }
  if (made !== 0) {
    throw new Error(`${python} could not create a virtual environment`);
  }
  const inside = join(environment, BIN, IS_WINDOWS ? 'python.exe' : 'python');
  const canCount = await isPip(inside, 24, 1); // its progress is of use only since then
  const output = new PipOutput();
  const code = await run([
    inside, '-m', 'pip', 'install', '--no-input', '--disable-pip-version-check',
    '--progress-bar', canCount ? 'raw' : 'off', ...indexArguments(), ...source.args,
  ], steps, (line) => output.phase(line));
  if (isCancelled()) {
    return undefined;
  }
  if (code !== 0) {
    throw new Error(output.failure(code));
  }
  report('checking the server');
  return versionOf(environment, source, log);
}

/** Returns what the installed server says its version is. */
async function versionOf(environment: string, { name }: Source, log: Log): Promise<string> {
  const program = join(environment, BIN, PROGRAM);
  let answer: string;
  try {
    const options = { cwd: environment, timeout: ANSWER_MS };
    answer = (await promisify(execFile)(program, ['--version'], options)).stdout.trim();
  } catch (error) {
    log.main.error(String((error as { stderr?: unknown }).stderr ?? error));
    throw new Error(
      (error as NodeJS.ErrnoException).code === 'ENOENT'
        ? `${name} has no parrotlet-server; select another source`
        : `parrotlet-server from ${name} does not start; see the log, or select another source`,
      { cause: error },
    );
  }
  const version = /\d+(\.\d+)+\S*/.exec(answer)?.[0];
  if (version === undefined) {
    throw new Error(
      `parrotlet-server from ${name} answered '${answer.slice(0, 60)}' instead of its version;`
      + ' select another source',
    );
  }
  return version;
}

/** Runs a command; returns its exit code, null if it was ended. */
function run(
  [command = '', ...args]: string[],
  { log, report, token }: Steps,
  phase: (line: string) => string | undefined,
): Promise<number | null> {
  log.main.info(`running ${[command, ...args].join(' ')}`);
  // At home, where no project's file can be taken for a module of Python's; in a group of its own,
  // so that cancelling ends what it has started, too.
  const child = spawn(command, args, {
    cwd: homedir(), windowsHide: true, detached: !IS_WINDOWS, stdio: ['ignore', 'pipe', 'pipe'],
  });
  const cancelling = token.onCancellationRequested(() => {
    kill(child);
  });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      const now = phase(line);
      if (!line.startsWith('Progress ')) {
        log.main.info(line);
      }
      if (now !== undefined) {
        report(now);
      }
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      cancelling.dispose();
      resolve(code);
    });
  });
}

function kill({ pid }: ChildProcess): void {
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
    // it has just ended
  }
}

function setInstalling(is: boolean): void {
  isInstalling = is;
  void vscode.commands.executeCommand('setContext', 'parrotlet.isInstalling', is);
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

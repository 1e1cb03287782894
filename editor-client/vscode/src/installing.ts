/**
 * Installs the server, when the user says so: a virtual environment in this extension's own folder,
 * and pip with a folder of Parrotlet's source.
 */

import { execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import { activePython, isProgram, mayRun, searchPath, type Installation } from './finding';
import type { Log } from './log';

const IS_WINDOWS = process.platform === 'win32';
const NAMES = IS_WINDOWS ? ['python.exe'] : ['python3', 'python'];
const MOST_CHARACTERS = 60; // of pip's words in the progress

/** Installs the server; says whether that was done. */
export async function installServer(installation: Installation, log: Log): Promise<boolean> {
  const folder = await sourceFolder(installation);
  if (folder === undefined) {
    return false;
  }
  try {
    const done = await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: 'Parrotlet: installing the server',
        cancellable: true,
      },
      (progress, token) => install(folder, installation, log, progress, token),
    );
    return done;
  } catch (error) {
    log.main.error(String(error));
    const reason = error instanceof Error ? error.message : String(error);
    const chosen = await vscode.window.showErrorMessage(`Parrotlet: ${reason}.`, 'Show Log');
    if (chosen !== undefined) {
      log.main.show();
    }
    return false;
  }
}

type Progress = vscode.Progress<{ message?: string }>;

async function install(
  folder: string,
  { environment }: Installation,
  log: Log,
  progress: Progress,
  token: vscode.CancellationToken,
): Promise<boolean> {
  const python = await suitablePython(await leastVersion(folder));
  const bin = join(environment, IS_WINDOWS ? 'Scripts' : 'bin');
  const constraints = join(folder, 'constraints.txt');
  const pinned = await isFile(constraints) ? ['--constraint', constraints] : [];
  const steps: string[][] = [
    [python, '-m', 'venv', '--clear', environment],
    [join(bin, IS_WINDOWS ? 'python.exe' : 'python'), '-m', 'pip', 'install', ...pinned, folder],
  ];
  for (const step of steps) {
    if (!await run(step, log, progress, token)) {
      return false;
    }
  }
  return true;
}

/** Runs a command and shows its words; false if it was cancelled. */
function run(
  [command = '', ...args]: string[], log: Log, progress: Progress, token: vscode.CancellationToken,
): Promise<boolean> {
  log.main.info(`running ${[command, ...args].join(' ')}`);
  // At home, where no project's file can be taken for a module of Python's.
  const child = spawn(command, args, { cwd: homedir(), windowsHide: true });
  const cancelling = token.onCancellationRequested(() => child.kill());
  let last = '';
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      last = line.trim() || last;
      log.main.info(line);
      progress.report({ message: last.slice(0, MOST_CHARACTERS) });
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      cancelling.dispose();
      if (code === 0 || token.isCancellationRequested) {
        resolve(code === 0);
      } else {
        reject(new Error(`the installation failed (${last}); the log has more`));
      }
    });
  });
}

/** Returns the checkout this extension came from, or a folder that the user chooses. */
async function sourceFolder({ checkout }: Installation): Promise<string | undefined> {
  if (checkout !== undefined && await isFile(join(checkout, 'pyproject.toml'))) {
    return checkout;
  }
  const folders = await vscode.window.showOpenDialog({
    title: 'Parrotlet: the folder of its source, with pyproject.toml',
    openLabel: 'Install From Here',
    canSelectFiles: false,
    canSelectFolders: true,
  });
  const folder = folders?.[0]?.fsPath;
  if (folder !== undefined && !await isFile(join(folder, 'pyproject.toml'))) {
    void vscode.window.showErrorMessage(
      `Parrotlet: ${folder} has no pyproject.toml; choose the folder of Parrotlet’s source.`,
    );
    return undefined;
  }
  return folder;
}

/** Returns the Python version that a project wants, as major and minor. */
async function leastVersion(folder: string): Promise<[number, number]> {
  const text = await readFile(join(folder, 'pyproject.toml'), 'utf8');
  const [, major = '3', minor = '0'] = /requires-python\s*=\s*"\D*(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(major), Number(minor)];
}

async function suitablePython([major, minor]: [number, number]): Promise<string> {
  const active = await activePython();
  const onPath = searchPath().flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const test = `import ensurepip, sys, venv; sys.exit(sys.version_info < (${major}, ${minor}))`;
  for (const python of [...(active === undefined ? [] : [active]), ...onPath]) {
    if (mayRun(python) && await isProgram(python) && await succeeds(python, test)) {
      return python;
    }
  }
  throw new Error(`there is no Python ${major}.${minor} or newer on the PATH; install one first`);
}

async function succeeds(python: string, code: string): Promise<boolean> {
  try {
    await promisify(execFile)(python, ['-I', '-c', code]);
    return true;
  } catch {
    return false;
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await vscode.workspace.fs.stat(vscode.Uri.file(path))).type === vscode.FileType.File;
  } catch {
    return false;
  }
}

/**
 * Installs the server, with the user's consent: creates a virtual environment of the extension's
 * own, runs pip, and checks that the installed server answers.
 */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import { findServer, SERVER_SETTING_QUERY } from '../server/discovery';
import type { Log } from '../server/log';
import { getList } from '../settings/configuration';
import type { Status } from '../ui/status';
import {
  activateEnvironment, BIN, createEnvironmentPath, IS_WINDOWS, PROGRAM, removeEnvironment,
} from './environment';
import type { Origin } from './origin';
import { PipOutput } from './pipOutput';
import { runCommand, selectVariables, type RunContext } from './process';
import { findPython, hasPip } from './python';
import { buildIndexArguments, chooseSource, confirmSource, type Source } from './source';

const VERSION_TIMEOUT_MS = 120_000; // the first start compiles the installed modules

/** What an installation needs of the rest of the extension. */
export interface InstallerContext {
  readonly origin: Origin;
  readonly log: Log;
  readonly status: Status;
}

let isInstalling = false;

/** Asks what to install and installs it; returns whether a server was installed. */
export async function installServer(context: InstallerContext): Promise<boolean> {
  if (isInstalling) {
    void vscode.window.showInformationMessage('The Parrotlet server is already being installed.');
    return false;
  }
  if (getList('server').length > 0) {
    await refuseBecauseOfSetting();
    return false;
  }
  const source = await chooseSource(context.origin);
  if (source === undefined) {
    return false;
  }
  try {
    const python = await findPython(context.origin.minPython);
    return await confirmSource(source, python)
      && await installWithProgress(source, python, context);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    context.log.main.error(`installing the server failed: ${reason}`);
    void vscode.window.showErrorMessage(
      `The Parrotlet server was not installed: ${reason}.`, 'Show Log',
    ).then((choice) => {
      if (choice !== undefined) {
        context.log.main.show();
      }
    });
    return false;
  }
}

/** Says that an installed server would not be used: that of the setting is. */
async function refuseBecauseOfSetting(): Promise<void> {
  const button = 'Open Settings';
  const choice = await vscode.window.showErrorMessage(
    'The setting parrotlet.client.server names the server to use. Clear it, then install one.',
    button,
  );
  if (choice === button) {
    await vscode.commands.executeCommand('workbench.action.openSettings', SERVER_SETTING_QUERY);
  }
}

/** Describes an installed server; says so if another one is found before it. */
async function describeInstalled(
  version: string, environment: string, origin: Origin,
): Promise<string> {
  const found = await findServer(origin);
  return 'command' in found && found.command !== join(environment, BIN, PROGRAM)
    ? `Installed the Parrotlet server ${version}, but here ${found.command} is used, from`
      + ` ${found.location}. Uninstall or update that one.`
    : `Installed the Parrotlet server ${version}.`;
}

async function installWithProgress(
  source: Source, python: string, { log, status, origin }: InstallerContext,
): Promise<boolean> {
  const { storage } = origin;
  setInstalling(true);
  const environment = await createEnvironmentPath(storage);
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
          status.setInstallPhase(phase);
          progress.report({ message: capitalize(phase) });
        };
        return install(source, python, environment, { log, report, token });
      },
    );
    isDone = version !== undefined;
    if (version !== undefined) {
      await activateEnvironment(storage, environment);
      const text = await describeInstalled(version, environment, origin);
      void vscode.window.showInformationMessage(text);
    }
  } finally {
    if (!isDone) {
      await removeEnvironment(environment);
    }
    setInstalling(false);
    status.setInstallPhase(undefined);
  }
  return isDone;
}

/** Returns the version of the installed server, or undefined if the user cancelled. */
async function install(
  source: Source, python: string, environment: string, context: RunContext,
): Promise<string | undefined> {
  const { log, report, token } = context;
  const isCancelled = (): boolean => token.isCancellationRequested;
  report('creating a virtual environment');
  const venvCommand = [python, '-I', '-m', 'venv', environment];
  const venvCode = await runCommand(venvCommand, context, () => undefined);
  if (isCancelled()) {
    return undefined;
  }
  if (venvCode !== 0) {
    throw new Error(`${python} could not create a virtual environment`);
  }
  const venvPython = join(environment, BIN, IS_WINDOWS ? 'python.exe' : 'python');
  const hasRawProgress = await hasPip(venvPython, 24, 1);
  const output = new PipOutput();
  const pipCode = await runCommand([
    venvPython, '-I', '-m', 'pip', 'install', '--no-input', '--disable-pip-version-check',
    '--progress-bar', hasRawProgress ? 'raw' : 'off', ...buildIndexArguments(), ...source.args,
  ], context, (line) => output.addLine(line));
  if (isCancelled()) {
    return undefined;
  }
  if (pipCode !== 0) {
    throw new Error(output.describeFailure(pipCode));
  }
  report('checking the server');
  return verifyServer(environment, source, log);
}

/** Checks that the installed server answers; returns its version. */
async function verifyServer(environment: string, { name }: Source, log: Log): Promise<string> {
  const program = join(environment, BIN, PROGRAM);
  let output: string;
  try {
    const options = {
      cwd: environment, env: selectVariables(), timeout: VERSION_TIMEOUT_MS,
    };
    output = (await promisify(execFile)(program, ['--version'], options)).stdout.trim();
  } catch (error) {
    log.main.error(String((error as { stderr?: unknown }).stderr ?? error));
    throw new Error(
      (error as NodeJS.ErrnoException).code === 'ENOENT'
        ? `${name} has no parrotlet-server; select another source`
        : `parrotlet-server from ${name} does not start; see the log, or select another source`,
      { cause: error },
    );
  }
  const version = /\d+(\.\d+)+\S*/.exec(output)?.[0];
  if (version === undefined) {
    throw new Error(
      `parrotlet-server from ${name} answered '${output.slice(0, 60)}' instead of its version;`
      + ' select another source',
    );
  }
  return version;
}

function setInstalling(value: boolean): void {
  isInstalling = value;
  void vscode.commands.executeCommand('setContext', 'parrotlet.isInstalling', value);
}

function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Lets the user select the server's executable, which is tried before the setting is changed. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import { IS_WINDOWS, PROGRAM } from '../install/environment';
import { changeSetting } from '../settings/configuration';

const TIMEOUT_MS = 120_000;

/** Asks for the executable and writes it into the settings. */
export async function setServerPath(): Promise<void> {
  const files = await vscode.window.showOpenDialog({
    title: `Select ${PROGRAM}`,
    openLabel: 'Use This Server',
    ...(IS_WINDOWS && { filters: { Programs: ['exe'] } }),
  });
  const path = files?.[0]?.fsPath;
  if (path === undefined) {
    return;
  }
  try {
    await promisify(execFile)(path, ['--version'], { timeout: TIMEOUT_MS });
  } catch {
    void vscode.window.showErrorMessage(
      `${path} does not answer to --version. Select the program ${PROGRAM}.`,
    );
    return;
  }
  await changeSetting('client.server', [path]);
}

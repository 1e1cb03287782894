/** Where VS Code begins and ends. */

import type * as vscode from 'vscode';
import { registerCommands } from './commands';
import { makeParts, type Parts } from './services';
import { watch } from './listeners';

let parts: Parts | undefined;

/** Called by VS Code with the first Python file, or soon after its start. */
export async function activate(context: vscode.ExtensionContext): Promise<void> {
  parts = await makeParts(context);
  registerCommands(context, parts);
  await watch(context, parts);
}

/** Called by VS Code when it ends. */
export async function deactivate(): Promise<void> {
  await parts?.lifecycle.close();
}

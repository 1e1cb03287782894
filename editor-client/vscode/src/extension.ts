/** The extension's entry point. */

import type * as vscode from 'vscode';
import { registerCommands } from './commands';
import { removeUnusedEnvironments } from './install/environment';
import { registerListeners } from './listeners';
import { createServices, type Services } from './services';

let services: Services | undefined;

/** Called by VS Code with the first Python file, or soon after it has started. */
export async function activate(context: vscode.ExtensionContext): Promise<void> {
  services = await createServices(context);
  registerCommands(context, services);
  await registerListeners(context, services);
  void removeUnusedEnvironments(services.origin.storage);
}

/** Called by VS Code when it exits. */
export async function deactivate(): Promise<void> {
  await services?.lifecycle.close();
}

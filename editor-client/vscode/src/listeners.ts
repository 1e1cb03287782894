/** Reacts to VS Code's events: starts the server when it is needed, applies changed settings. */

import * as vscode from 'vscode';
import { PythonChoice } from './server/pythonChoice';
import type { Services } from './services';
import { collectServerSettings, getList } from './settings/configuration';
import { listFormerNames, SECTION } from './settings/settingNames';
import { isEditable } from './suggestions/activeEditor';
import { RestingCursor } from './suggestions/restingCursor';

const PYTHON_SETTING = 'python.defaultInterpreterPath';
// VS Code may read a settings file while it is being written, and then again.
const SETTLE_MS = 150;

/** Registers all listeners, until the extension is deactivated. */
export async function registerListeners(
  context: vscode.ExtensionContext, services: Services,
): Promise<void> {
  const { lifecycle, enablement, status } = services;
  const rediscover = (): void => {
    if (lifecycle.isRequested) {
      void lifecycle.rediscover();
    }
  };
  const render = status.render.bind(status);
  const forwarder = new SettingsForwarder(services);
  const pythonChoice = new PythonChoice(rediscover);
  context.subscriptions.push(
    forwarder,
    pythonChoice,
    new RestingCursor(services),
    vscode.workspace.onDidOpenTextDocument(() => {
      startIfNeeded(services);
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(PYTHON_SETTING)) {
        rediscover();
      }
      if (event.affectsConfiguration(SECTION)) {
        status.render();
        forwarder.schedule();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(rediscover),
    vscode.window.onDidChangeActiveTextEditor(render),
    enablement.onDidChange(render),
  );
  setLanguagesContext();
  for (const [former, name] of listFormerNames()) {
    services.log.main.warn(`the setting ${former} is now called ${name}; its value still applies`);
  }
  startIfNeeded(services);
  await pythonChoice.follow();
}

/** Starts the server as soon as there is a document to complete. */
function startIfNeeded({ lifecycle, enablement }: Services): void {
  const isNeeded = vscode.workspace.textDocuments.some((document) => (
    isEditable(document) && enablement.getDisabledReason(document) === undefined
  ));
  if (isNeeded && !lifecycle.isRequested) {
    void lifecycle.restart();
  } else if (isNeeded && lifecycle.notFound !== undefined) {
    void lifecycle.rediscover(); // it may have been installed in the meantime
  }
}

/** Sends changed settings to the server, or restarts it, once they have settled. */
class SettingsForwarder implements vscode.Disposable {
  private timer: NodeJS.Timeout | undefined;
  private lastSent: string;

  constructor(private readonly services: Services) {
    this.lastSent = serializeServerSettings();
  }

  /** Called at every change. */
  schedule(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.forward();
    }, SETTLE_MS);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private forward(): void {
    const { lifecycle } = this.services;
    const { lastSent } = this;
    this.lastSent = serializeServerSettings();
    setLanguagesContext();
    if (lifecycle.isRequested && lifecycle.needsRestart) {
      void lifecycle.restart();
    } else if (this.lastSent !== lastSent) {
      lifecycle.client?.notify('workspace/didChangeConfiguration', { settings: null });
    }
    startIfNeeded(this.services);
  }
}

function serializeServerSettings(): string {
  return JSON.stringify(collectServerSettings());
}

/** Sets the languages in which keybindings apply. */
function setLanguagesContext(): void {
  const languages = getList('languages');
  void vscode.commands.executeCommand('setContext', `${SECTION}.languages`, languages);
}

/** What the extension does by itself: starts the server when it is needed, and follows changes. */

import * as vscode from 'vscode';
import { isWritten } from './suggestions/activeEditor';
import { watchPython } from './server/discovery';
import type { Parts } from './services';
import { formerNames, listOf, SECTION, serverSettings } from './settings/configuration';

const NAMES_PYTHON = 'python.defaultInterpreterPath';
// VS Code may read a settings file while it is being written, and then again.
const SETTLED_MS = 150;

/** Begins to watch, until the extension ends. */
export async function watch(context: vscode.ExtensionContext, parts: Parts): Promise<void> {
  const { lifecycle, power, status } = parts;
  const lookAgain = (): void => {
    if (lifecycle.isWanted) {
      void lifecycle.lookAgain();
    }
  };
  const draw = (): void => {
    status.draw();
  };
  const settings = new Settings(parts);
  context.subscriptions.push(
    settings,
    vscode.workspace.onDidOpenTextDocument(() => {
      startIfNeeded(parts);
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(NAMES_PYTHON)) {
        lookAgain();
      }
      if (event.affectsConfiguration(SECTION)) {
        status.draw();
        settings.changed();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(lookAgain),
    vscode.window.onDidChangeActiveTextEditor(draw),
    power.onDidChange(draw),
  );
  tellLanguages();
  for (const [former, name] of formerNames()) {
    parts.log.main.warn(`the setting ${former} is now called ${name}; its value still applies`);
  }
  startIfNeeded(parts);
  context.subscriptions.push(await watchPython(lookAgain));
}

/** Starts the server as soon as there is a document to suggest in. */
function startIfNeeded({ lifecycle, power }: Parts): void {
  const isNeeded = vscode.workspace.textDocuments.some((document) => (
    isWritten(document) && power.whyOff(document) === undefined
  ));
  if (isNeeded && !lifecycle.isWanted) {
    void lifecycle.restart();
  } else if (isNeeded && lifecycle.missing !== undefined) {
    void lifecycle.lookAgain(); // it may have been installed since
  }
}

/** Lets the server have the settings, or another server, once they stand still. */
class Settings implements vscode.Disposable {
  private timer: NodeJS.Timeout | undefined;
  private told: string;

  constructor(private readonly parts: Parts) {
    this.told = this.ofServer;
  }

  /** Called whenever they change. */
  changed(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.settled();
    }, SETTLED_MS);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private settled(): void {
    const { lifecycle } = this.parts;
    const { told } = this;
    this.told = this.ofServer;
    tellLanguages();
    if (lifecycle.isWanted && lifecycle.needsAnother) {
      void lifecycle.restart();
    } else if (this.told !== told) {
      lifecycle.running?.tell('workspace/didChangeConfiguration', { settings: null });
    }
    startIfNeeded(this.parts);
  }

  private get ofServer(): string {
    return JSON.stringify(serverSettings());
  }
}

/** Lets keybindings know in which languages they are of use. */
function tellLanguages(): void {
  const languages = listOf('languages');
  void vscode.commands.executeCommand('setContext', `${SECTION}.languages`, languages);
}

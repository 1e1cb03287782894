/** The commands of package.json, and what does each. */

import * as vscode from 'vscode';
import { chooseEagerness, chooseExtent } from './ui/suggestionPickers';
import { currentEditor, focusEditor } from './suggestions/activeEditor';
import { installServer } from './install/installer';
import type { Log } from './server/log';
import { showMenu } from './ui/actionMenu';
import { chooseModel } from './ui/modelPicker';
import { explainNow, hint, type Parts } from './services';
import { setServerPath } from './server/serverPath';
import { SECTION } from './settings/configuration';
import { showStatistics } from './ui/statistics';
import { ACCEPTED_COMMAND } from './suggestions/suggestions';
import {
  toggleAutomatic, toggleEverywhere, toggleFile, toggleLanguage, toggleWorkspace,
} from './suggestions/enablement';

const SETTINGS = '@ext:parrotlet.parrotlet';

type Action = () => Promise<unknown>;

/** Registers them all. */
export function registerCommands(context: vscode.ExtensionContext, parts: Parts): void {
  const actions: Record<string, Action> = {
    ...ofSuggestions(parts),
    ...ofServer(parts),
    ...ofSwitch(parts),
    openWalkthrough: async () => {
      const walkthrough = `${context.extension.id}#start`;
      await vscode.commands.executeCommand('workbench.action.openWalkthrough', walkthrough, false);
    },
  };
  for (const [name, action] of Object.entries(actions)) {
    context.subscriptions.push(vscode.commands.registerCommand(`${SECTION}.${name}`, action));
  }
  context.subscriptions.push(vscode.commands.registerCommand(
    ACCEPTED_COMMAND, (command?: vscode.Command) => parts.suggestions.accepted(command),
  ));
}

function ofSuggestions(parts: Parts): Record<string, Action> {
  const { suggestions, power, lifecycle, pages } = parts;
  return {
    ask: async () => {
      const off = power.whyOff(currentEditor()?.document);
      if (off !== undefined) {
        void vscode.window.showInformationMessage(`Parrotlet is ${off}.`);
      } else if (lifecycle.running?.isRunning === true) {
        await focusEditor();
        await suggestions.ask();
      } else {
        await hint(lifecycle);
      }
    },
    accept: () => suggestions.accept(),
    acceptWord: () => suggestions.acceptPart('word'),
    acceptLine: () => suggestions.acceptPart('line'),
    showNext: () => suggestions.show('next'),
    showPrevious: () => suggestions.show('previous'),
    dismiss: () => suggestions.dismiss(),
    chooseExtent,
    chooseEagerness,
    newFile,
    whyNothing: () => explainNow(parts, true),
    showStatistics: () => showStatistics(pages, lifecycle.running),
  };
}

function ofServer(parts: Parts): Record<string, Action> {
  const { lifecycle, installation, log, status } = parts;
  return {
    chooseModel,
    restartServer: explained(parts, () => lifecycle.restart()),
    installServer: explained(parts, async () => {
      if (await installServer({ installation, log, status })) {
        await lifecycle.restart();
      }
    }),
    setServerPath,
    showLog: () => {
      log.main.show();
      return Promise.resolve();
    },
    showTrace: () => showTrace(log),
  };
}

function ofSwitch(parts: Parts): Record<string, Action> {
  const { power, status, lifecycle } = parts;
  return {
    menu: () => showMenu(status, power, lifecycle.missing),
    toggle: explained(parts, toggleEverywhere),
    toggleWorkspace: explained(parts, toggleWorkspace),
    toggleLanguage: explained(parts, toggleLanguage),
    toggleFile: explained(parts, toggleFile),
    toggleAutomatic: explained(parts, toggleAutomatic),
    snooze: explained(parts, () => power.snooze()),
    wake: explained(parts, () => power.wake()),
    openSettings: async () => {
      await vscode.commands.executeCommand('workbench.action.openSettings', SETTINGS);
    },
  };
}

/** Returns an action after which the page that explains is right again, if it is open. */
function explained(parts: Parts, action: Action): Action {
  return async () => {
    await action();
    await explainNow(parts, false);
  };
}

async function newFile(): Promise<void> {
  const document = await vscode.workspace.openTextDocument({ language: 'python' });
  await vscode.window.showTextDocument(document);
}

/** Shows what the extension and the server say to each other; it is recorded only when wanted. */
async function showTrace({ trace }: Log): Promise<void> {
  trace.show();
  if (trace.logLevel !== vscode.LogLevel.Trace) {
    const chosen = await vscode.window.showInformationMessage(
      'The messages between the extension and the server are recorded while the log level of this'
      + ' output is Trace. They contain your code and stay on this machine.',
      'Set Log Level…',
    );
    if (chosen !== undefined) {
      await vscode.commands.executeCommand('workbench.action.setLogLevel');
    }
  }
}

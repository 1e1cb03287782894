/** The menu behind the status bar item: all actions, those first that fit the moment. */

import * as vscode from 'vscode';
import { currentEditor } from '../suggestions/activeEditor';
import type { Missing } from '../server/discovery';
import { modelNow } from './modelPicker';
import { isTrue, listOf, textOf } from '../settings/configuration';
import type { Status } from './status';
import type { Switch } from '../suggestions/enablement';

interface Entry extends vscode.QuickPickItem {
  readonly command?: string;
}

/** Shows the menu and does what is chosen. */
export async function showMenu(
  status: Status, power: Switch, missing: Missing | undefined,
): Promise<void> {
  const list = [...remedies(status, missing), ...entries(power)];
  const chosen = await vscode.window.showQuickPick(list, {
    title: status.sentence,
    matchOnDescription: true,
  });
  if (chosen?.command !== undefined) {
    await vscode.commands.executeCommand(chosen.command);
  }
}

/** What helps where there is no server. */
function remedies(status: Status, missing: Missing | undefined): Entry[] {
  return missing === undefined || status.isInstalling ? [] : [
    ...(missing.canInstall ? [entry('cloud-download', 'Install server…', 'installServer')] : []),
    entry('search', 'Set server path…', 'setServerPath'),
    separator('Suggestions'),
  ];
}

function entries(power: Switch): Entry[] {
  return [
    entry('question', 'Why is nothing shown?', 'whyNothing'),
    entry('sparkle', 'Trigger suggestion', 'ask', 'Alt+\\'),
    ...switches(power),
    separator('Length and eagerness'),
    entry('list-tree', 'Suggestion length…', 'chooseExtent', textOf('suggestion.extent')),
    entry('dashboard', 'Suggestion eagerness…', 'chooseEagerness', textOf('suggestion.eagerness')),
    entry('graph', 'Show statistics', 'showStatistics'),
    separator('Model and server'),
    entry('arrow-swap', 'Switch model…', 'chooseModel', modelNow()),
    entry('debug-restart', 'Restart server', 'restartServer'),
    entry('output', 'Show log', 'showLog'),
    entry('list-flat', 'Show protocol trace', 'showTrace'),
    entry('gear', 'Open settings', 'openSettings'),
    entry('book', 'Open walkthrough', 'openWalkthrough'),
  ];
}

function switches(power: Switch): Entry[] {
  const document = currentEditor()?.document;
  const off = power.whyOff(document);
  const turn = isTrue('enabled', document) ? 'Turn off' : 'Turn on';
  const list = [
    separator(off === undefined ? 'Turn off or snooze' : `Suggestions are ${off}`),
    power.isSnoozing
      ? entry('bell', 'Cancel snooze', 'wake')
      : entry('bell-slash', 'Snooze…', 'snooze'),
    isTrue('automatic', document)
      ? entry('eye-closed', 'Suggest only on request', 'toggleAutomatic')
      : entry('eye', 'Suggest while typing', 'toggleAutomatic'),
    entry('circle-slash', `${turn} everywhere`, 'toggle'),
  ];
  if (vscode.workspace.workspaceFolders !== undefined) {
    list.push(entry('folder', `${turn} for this workspace`, 'toggleWorkspace'));
  }
  if (document !== undefined) {
    const language = document.languageId;
    const hasLanguage = listOf('languages').includes(language);
    const ofLanguage = `Turn ${hasLanguage ? 'off' : 'on'} for the language ${language}`;
    const ofFile = `Turn ${off?.startsWith('off for files') ? 'on' : 'off'} for this file`;
    list.push(entry('symbol-misc', ofLanguage, 'toggleLanguage'));
    list.push(entry('file', ofFile, 'toggleFile'));
  }
  return list;
}

function entry(icon: string, label: string, command: string, description?: string): Entry {
  return {
    label: `$(${icon}) ${label}`,
    command: `parrotlet.${command}`,
    ...(description !== undefined && { description }),
  };
}

function separator(label: string): Entry {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}

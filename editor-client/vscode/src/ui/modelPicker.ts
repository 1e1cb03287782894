/**
 * Switches the model: the bundled one, a folder, one of the Hugging Face Hub, a remote server.
 *
 * It only writes settings. The server takes them while it runs, and shows how loading or fetching
 * goes as progress.
 */

import * as vscode from 'vscode';
import { change, textOf } from '../settings/configuration';

const HUB_ID = /^[\w-][\w.-]*\/[\w-][\w.-]*(@[\w./-]+)?$/;

/** Settings to write. What is none is written as empty: it may be set at another level, too. */
type Settings = Record<string, string>;

interface Choice extends vscode.QuickPickItem {
  /** Returns the settings that make it so, undefined if the user cancels. */
  readonly settings: () => Promise<Settings | undefined>;
}

/** Asks for a model and switches to it. */
export async function chooseModel(): Promise<void> {
  const chosen = await vscode.window.showQuickPick(choices(), {
    title: 'Switch Model', matchOnDetail: true,
  });
  const settings = await chosen?.settings();
  for (const [name, value] of Object.entries(settings ?? {})) {
    await change(name, value);
  }
}

/** Returns what generates suggestions now, in a few words, as behind "Model:". */
export function modelNow(): string {
  const url = textOf('remote.url');
  const model = textOf('model');
  return url ? `remote server ${url}` : model || 'bundled';
}

function choices(): Choice[] {
  const url = textOf('remote.url');
  const model = textOf('model');
  const isHub = HUB_ID.test(model);
  return [
    {
      label: mark('Bundled', !url && !model),
      detail: 'Small, works offline',
      settings: () => Promise.resolve({ 'remote.url': '', model: '' }),
    },
    {
      label: mark('Folder…', !url && model !== '' && !isHub),
      description: isHub ? '' : model,
      detail: 'A model that you have trained or downloaded',
      settings: askFolder,
    },
    {
      label: mark('Hugging Face Hub…', !url && isHub),
      description: isHub ? model : '',
      detail: 'Downloaded once, then used offline',
      settings: askHub,
    },
    {
      label: mark('Remote server…', url !== ''),
      description: url,
      detail: 'Any server with /v1/completions. The text around the cursor is sent to it.',
      settings: askRemote,
    },
  ];
}

function mark(label: string, isChosen: boolean): string {
  return isChosen ? `$(check) ${label}` : label;
}

async function askFolder(): Promise<Settings | undefined> {
  const folders = await vscode.window.showOpenDialog({
    title: 'Select a Model Folder',
    openLabel: 'Use This Model',
    canSelectFiles: false,
    canSelectFolders: true,
  });
  const folder = folders?.[0]?.fsPath;
  return folder === undefined ? undefined : { 'remote.url': '', model: folder };
}

async function askHub(): Promise<Settings | undefined> {
  const name = await vscode.window.showInputBox({
    title: 'Use a Model from the Hugging Face Hub',
    prompt: 'Name of the model, as owner/name or owner/name@revision',
    value: textOf('model'),
    ignoreFocusOut: true,
    validateInput: (text) => (
      HUB_ID.test(text.trim()) ? undefined : 'Enter a name such as owner/name'
    ),
  });
  return name === undefined ? undefined : { 'remote.url': '', model: name.trim() };
}

async function askRemote(): Promise<Settings | undefined> {
  const url = await vscode.window.showInputBox({
    title: 'Use a Remote Server (1/2)',
    prompt: 'URL of the server. The text around the cursor is sent to it.',
    value: textOf('remote.url'),
    placeHolder: 'http://localhost:8000',
    ignoreFocusOut: true,
    validateInput: (text) => (
      isAddress(text) ? undefined : 'Enter a URL that starts with http:// or https://'
    ),
  });
  if (url === undefined) {
    return undefined;
  }
  const model = await vscode.window.showInputBox({
    title: 'Use a Remote Server (2/2)',
    prompt: 'Name of the model on that server. Leave empty if it serves only one.',
    value: textOf('remote.model'),
    ignoreFocusOut: true,
  });
  return model === undefined
    ? undefined
    : { 'remote.model': model.trim(), 'remote.url': url.trim() };
}

function isAddress(text: string): boolean {
  return /^https?:\/\/[^\s/]+/.test(text.trim());
}

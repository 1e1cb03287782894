/**
 * Switches the model: the bundled one, a folder, one of the Hugging Face Hub, a server elsewhere.
 *
 * It only writes settings. The server takes them while it runs, and shows how loading or fetching
 * goes as progress.
 */

import * as vscode from 'vscode';
import { change, textOf } from './settings';

const HUB_ID = /^[\w-][\w.-]*\/[\w-][\w.-]*(@[\w./-]+)?$/;

/** Settings to write. What is none is written as empty: it may be set at another level, too. */
type Settings = Record<string, string>;

interface Choice extends vscode.QuickPickItem {
  /** Returns the settings that make it so, undefined if the user thinks better of it. */
  readonly settings: () => Promise<Settings | undefined>;
}

/** Asks for a model and switches to it. */
export async function chooseModel(): Promise<void> {
  const chosen = await vscode.window.showQuickPick(choices(), { title: 'Parrotlet: model' });
  const settings = await chosen?.settings();
  for (const [name, value] of Object.entries(settings ?? {})) {
    await change(name, value);
  }
}

/** Returns what writes suggestions now, in a few words. */
export function modelNow(): string {
  const url = textOf('remote.url');
  const model = textOf('model');
  return url ? `the server at ${url}` : model ? `the model ${model}` : 'the bundled model';
}

function choices(): Choice[] {
  const url = textOf('remote.url');
  const model = textOf('model');
  const isHub = HUB_ID.test(model);
  return [
    {
      label: mark('Bundled', !url && !model),
      description: 'small, offline, trained by this project',
      settings: () => Promise.resolve({ 'remote.url': '', model: '' }),
    },
    {
      label: mark('Folder…', !url && model !== '' && !isHub),
      description: isHub ? '' : model,
      detail: 'a model that you have trained or fetched',
      settings: askFolder,
    },
    {
      label: mark('Hugging Face Hub…', !url && isHub),
      description: isHub ? model : '',
      detail: 'fetched once, then used offline',
      settings: askHub,
    },
    {
      label: mark('Server elsewhere…', url !== ''),
      description: url,
      detail: 'anything with /v1/completions; the text around your cursor is sent to it',
      settings: askRemote,
    },
  ];
}

function mark(label: string, isChosen: boolean): string {
  return isChosen ? `$(check) ${label}` : label;
}

async function askFolder(): Promise<Settings | undefined> {
  const folders = await vscode.window.showOpenDialog({
    title: 'Parrotlet: a folder with a model',
    openLabel: 'Use This Model',
    canSelectFiles: false,
    canSelectFolders: true,
  });
  const folder = folders?.[0]?.fsPath;
  return folder === undefined ? undefined : { 'remote.url': '', model: folder };
}

async function askHub(): Promise<Settings | undefined> {
  const name = await vscode.window.showInputBox({
    title: 'Parrotlet: a model on the Hugging Face Hub',
    prompt: 'owner/name, or owner/name@revision',
    value: textOf('model'),
    ignoreFocusOut: true,
    validateInput: (text) => (HUB_ID.test(text.trim()) ? undefined : 'as in owner/name'),
  });
  return name === undefined ? undefined : { 'remote.url': '', model: name.trim() };
}

async function askRemote(): Promise<Settings | undefined> {
  const url = await vscode.window.showInputBox({
    title: 'Parrotlet: a server elsewhere (1 of 2)',
    prompt: 'Its address. The text around your cursor is sent there.',
    value: textOf('remote.url'),
    placeHolder: 'http://localhost:8000',
    ignoreFocusOut: true,
    validateInput: (text) => (isAddress(text) ? undefined : 'as in http://localhost:8000'),
  });
  if (url === undefined) {
    return undefined;
  }
  const model = await vscode.window.showInputBox({
    title: 'Parrotlet: a server elsewhere (2 of 2)',
    prompt: 'The model’s name at that server; empty if it has only one.',
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

/**
 * Switches the model: bundled, a folder, one on the Hugging Face Hub, or a remote server.
 *
 * It only changes settings. The server applies them while it is running, and reports its progress
 * in loading or downloading a model.
 */

import * as vscode from 'vscode';
import { changeSetting, getText } from '../settings/configuration';

const HUB_NAME = /^[\w-][\w.-]*\/[\w-][\w.-]*(@[\w./-]+)?$/;
const HTTP_URL = /^https?:\/\/[^\s/]+/;

/** Settings to change. Unused ones are set to an empty string: another level may have a value. */
type Changes = Record<string, string>;

interface Choice extends vscode.QuickPickItem {
  /** Returns the settings for this choice, or undefined if the user cancels. */
  readonly resolve: () => Promise<Changes | undefined>;
}

/** Asks for a model and switches to it. */
export async function chooseModel(): Promise<void> {
  const choice = await vscode.window.showQuickPick(createChoices(), {
    title: 'Switch Model', matchOnDetail: true,
  });
  const changes = await choice?.resolve();
  for (const [id, value] of Object.entries(changes ?? {})) {
    await changeSetting(id, value);
  }
}

/** Describes the current model in a few words, as after "Model:". */
export function describeModel(): string {
  const url = getText('remote.url');
  const model = getText('model');
  return url ? `remote server ${url}` : model || 'bundled';
}

function createChoices(): Choice[] {
  const url = getText('remote.url');
  const model = getText('model');
  const isOnHub = HUB_NAME.test(model);
  return [
    {
      label: markCurrent('Bundled', !url && !model),
      detail: 'Small, works offline',
      resolve: () => Promise.resolve({ 'remote.url': '', model: '' }),
    },
    {
      label: markCurrent('Folder…', !url && model !== '' && !isOnHub),
      description: isOnHub ? '' : model,
      detail: 'A model that you have trained or downloaded',
      resolve: chooseFolder,
    },
    {
      label: markCurrent('Hugging Face Hub…', !url && isOnHub),
      description: isOnHub ? model : '',
      detail: 'Downloaded once, then used offline',
      resolve: enterHubName,
    },
    {
      label: markCurrent('Remote server…', url !== ''),
      description: url,
      detail: 'Any server with /v1/completions. Text around the cursor and of other files is sent.',
      resolve: enterRemoteServer,
    },
  ];
}

function markCurrent(label: string, isCurrent: boolean): string {
  return isCurrent ? `$(check) ${label}` : label;
}

async function chooseFolder(): Promise<Changes | undefined> {
  const folders = await vscode.window.showOpenDialog({
    title: 'Select a Model Folder',
    openLabel: 'Use This Model',
    canSelectFiles: false,
    canSelectFolders: true,
  });
  const folder = folders?.[0]?.fsPath;
  return folder === undefined ? undefined : { 'remote.url': '', model: folder };
}

async function enterHubName(): Promise<Changes | undefined> {
  const name = await vscode.window.showInputBox({
    title: 'Use a Model from the Hugging Face Hub',
    prompt: 'Name of the model, as owner/name or owner/name@revision',
    value: getText('model'),
    ignoreFocusOut: true,
    validateInput: (text) => (
      HUB_NAME.test(text.trim()) ? undefined : 'Enter a name such as owner/name'
    ),
  });
  return name === undefined ? undefined : { 'remote.url': '', model: name.trim() };
}

async function enterRemoteServer(): Promise<Changes | undefined> {
  const url = await vscode.window.showInputBox({
    title: 'Use a Remote Server (1/2)',
    prompt: 'URL of the server. Text around the cursor and of other files is sent to it.',
    value: getText('remote.url'),
    placeHolder: 'http://localhost:8000',
    ignoreFocusOut: true,
    validateInput: (text) => (
      HTTP_URL.test(text.trim()) ? undefined : 'Enter a URL that starts with http:// or https://'
    ),
  });
  if (url === undefined) {
    return undefined;
  }
  const model = await vscode.window.showInputBox({
    title: 'Use a Remote Server (2/2)',
    prompt: 'Name of the model on that server. Leave empty if it serves only one.',
    value: getText('remote.model'),
    ignoreFocusOut: true,
  });
  return model === undefined ? undefined : createRemoteChanges(url.trim(), model.trim());
}

/**
 * Returns the settings for a remote model; undefined if the user cancels. Asks whether the
 * tokenizer is the other model's: its format of prompts would be wrong for this one.
 */
async function createRemoteChanges(url: string, model: string): Promise<Changes | undefined> {
  const changes = { 'remote.model': model, 'remote.url': url };
  const tokenizer = getText('remote.tokenizer');
  const isSameModel = url === getText('remote.url') && model === getText('remote.model');
  if (tokenizer === '' || isSameModel) {
    return changes;
  }
  const reset = { label: 'Reset the Tokenizer', detail: 'It belongs to the model before.' };
  const keep = { label: 'Keep the Tokenizer', detail: `${tokenizer} belongs to this model, too.` };
  const choice = await vscode.window.showQuickPick([reset, keep], {
    title: 'Use a Remote Server: Tokenizer', ignoreFocusOut: true,
  });
  if (choice === undefined) {
    return undefined;
  }
  return choice === keep ? changes : { 'remote.tokenizer': '', ...changes }; // first, so in time
}

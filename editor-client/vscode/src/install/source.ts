/** Where the server is installed from, and the user's consent to exactly that. */

import { join } from 'node:path';
import * as vscode from 'vscode';
import { getText } from '../settings/configuration';
import { findCheckout, isCheckout, type Origin } from './origin';
import { isParrotletWheel, isRequirement } from './pipOutput';

const EXTRA_INDEX = 'client.extraIndexUrl';

/** What pip installs. */
export interface Source {
  /** For people, as in "the wheel parrotlet-0.2.0-py3-none-any.whl". */
  readonly name: string;
  /** pip's arguments after `install`. */
  readonly args: readonly string[];
}

interface Choice extends vscode.QuickPickItem {
  /** Returns the source, or undefined if the user cancels. */
  readonly choose: () => Promise<Source | undefined>;
}

/** Asks where to install the server from. */
export async function chooseSource(origin: Origin): Promise<Source | undefined> {
  const checkout = await findCheckout(origin);
  const choices: Choice[] = [
    ...(checkout === undefined ? [] : [{
      label: '$(repo) This extension’s checkout',
      detail: checkout,
      choose: () => createCheckoutSource(checkout),
    }]),
    {
      label: '$(file-zip) Wheel file…',
      detail: 'A file named parrotlet-….whl on this machine',
      choose: chooseWheel,
    },
    {
      label: '$(cloud-download) Package index…',
      detail: 'Downloaded by pip',
      choose: () => chooseRequirement(origin.version),
    },
    {
      label: '$(folder-opened) Source folder…',
      detail: 'A checkout of Parrotlet on this machine',
      choose: chooseFolder,
    },
    {
      label: '$(search) Set server path…',
      detail: 'The server is already installed on this machine',
      choose: async () => {
        await vscode.commands.executeCommand('parrotlet.setServerPath');
        return undefined;
      },
    },
  ];
  const choice = await vscode.window.showQuickPick(choices, {
    title: 'Install the Parrotlet Server',
    placeHolder: 'Select where to install the server from',
    matchOnDetail: true,
    ignoreFocusOut: true,
  });
  return choice?.choose();
}

/** Returns pip's arguments for the additional package index in the settings. */
export function buildIndexArguments(): string[] {
  const index = getText(EXTRA_INDEX).trim();
  return index ? ['--extra-index-url', index] : [];
}

/** Shows exactly what would be installed; returns whether the user agrees. */
export async function confirmSource({ name, args }: Source, python: string): Promise<boolean> {
  const index = buildIndexArguments();
  const isLarge = process.platform === 'linux' && index.length === 0;
  const detail = [
    `Command: pip install ${[...index, ...args].join(' ')}`,
    `Python: ${python}`,
    'pip downloads the required packages, PyTorch among them, from the package indexes in its'
    + ' configuration and installs them in a virtual environment of this extension. Packages can'
    + ' run code while they are installed: continue only if you trust them.',
    ...(isLarge ? [
      'On Linux, PyTorch can include several gigabytes of CUDA libraries. Set an extra index with'
      + ' CPU-only builds for a smaller download, unless pip’s configuration already names one.',
    ] : []),
  ].join('\n\n');
  const buttons = ['Install', ...(isLarge ? ['Set Extra Index…'] : [])];
  const choice = await vscode.window.showInformationMessage(
    `Install the Parrotlet server from ${name}?`, { modal: true, detail }, ...buttons,
  );
  if (choice === buttons[1]) {
    await vscode.commands.executeCommand(
      'workbench.action.openSettings', `@id:parrotlet.${EXTRA_INDEX}`,
    );
  }
  return choice === 'Install';
}

async function createCheckoutSource(folder: string): Promise<Source> {
  const constraints = join(folder, 'constraints.txt');
  const constraintArgs = await isFile(constraints) ? ['--constraint', constraints] : [];
  return { name: `the checkout ${folder}`, args: [...constraintArgs, folder] };
}

async function chooseWheel(): Promise<Source | undefined> {
  const files = await vscode.window.showOpenDialog({
    title: 'Select a Parrotlet Wheel',
    openLabel: 'Select',
    filters: { 'Python wheels': ['whl'] },
  });
  const path = files?.[0]?.fsPath;
  if (path !== undefined && !isParrotletWheel(path)) {
    void vscode.window.showErrorMessage(
      `${path} is not a wheel of Parrotlet. Select a file named parrotlet-….whl.`,
    );
    return undefined;
  }
  return path === undefined ? undefined : { name: `the wheel ${path}`, args: [path] };
}

async function chooseRequirement(version: string): Promise<Source | undefined> {
  const input = await vscode.window.showInputBox({
    title: 'Install the Parrotlet Server from a Package Index',
    prompt: 'Requirement that pip installs. Make sure that the package is the one you mean.',
    value: `parrotlet==${version}`,
    ignoreFocusOut: true,
    validateInput: (text) => (
      isRequirement(text) ? undefined : 'Enter a requirement such as parrotlet==0.2.0'
    ),
  });
  const requirement = input?.trim();
  return requirement === undefined
    ? undefined
    : { name: `the package index (${requirement})`, args: [requirement] };
}

async function chooseFolder(): Promise<Source | undefined> {
  const folders = await vscode.window.showOpenDialog({
    title: 'Select a Checkout of Parrotlet',
    openLabel: 'Install From Here',
    canSelectFiles: false,
    canSelectFolders: true,
  });
  const folder = folders?.[0]?.fsPath;
  if (folder !== undefined && !await isCheckout(folder)) {
    void vscode.window.showErrorMessage(
      `${folder} is not a checkout of Parrotlet: it has no pyproject.toml with that name. Select`
      + ' the folder that holds Parrotlet’s pyproject.toml.',
    );
    return undefined;
  }
  return folder === undefined ? undefined : createCheckoutSource(folder);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await vscode.workspace.fs.stat(vscode.Uri.file(path))).type === vscode.FileType.File;
  } catch {
    return false;
  }
}

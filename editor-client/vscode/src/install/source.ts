/** Where the server can be installed from, and the user's consent to exactly that. */

import { join } from 'node:path';
import * as vscode from 'vscode';
import { checkoutOf, isCheckout, type Installation } from './origin';
import { isOurWheel, isRequirement } from './pipOutput';
import { textOf } from '../settings/configuration';

const EXTRA_INDEX = 'client.extraIndexUrl';

/** What pip is to install. */
export interface Source {
  /** For people, as "the wheel parrotlet-0.2.0-py3-none-any.whl". */
  readonly name: string;
  /** pip's arguments behind `install`. */
  readonly args: readonly string[];
}

interface Choice extends vscode.QuickPickItem {
  /** Returns the source, undefined if the user thinks better of it. */
  readonly choose: () => Promise<Source | undefined>;
}

/** Asks where the server is to come from. */
export async function chooseSource(installation: Installation): Promise<Source | undefined> {
  const checkout = await checkoutOf(installation);
  const choices: Choice[] = [
    ...(checkout === undefined ? [] : [{
      label: '$(repo) This extension’s checkout',
      detail: checkout,
      choose: () => ofCheckout(checkout),
    }]),
    {
      label: '$(file-zip) Wheel file…',
      detail: 'A file named parrotlet-….whl on this machine',
      choose: chooseWheel,
    },
    {
      label: '$(cloud-download) Package index…',
      detail: 'Downloaded by pip',
      choose: () => chooseRequirement(installation.version),
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
  const chosen = await vscode.window.showQuickPick(choices, {
    title: 'Install the Parrotlet Server',
    placeHolder: 'Select where to install the server from',
    matchOnDetail: true,
    ignoreFocusOut: true,
  });
  return chosen?.choose();
}

/** Returns what the setting adds to pip's own configuration. */
export function indexArguments(): string[] {
  const index = textOf(EXTRA_INDEX).trim();
  return index ? ['--extra-index-url', index] : [];
}

/** Shows exactly what will be installed, and says whether the user wants that. */
export async function confirm({ name, args }: Source, python: string): Promise<boolean> {
  const index = indexArguments();
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
  const chosen = await vscode.window.showInformationMessage(
    `Install the Parrotlet server from ${name}?`, { modal: true, detail }, ...buttons,
  );
  if (chosen === buttons[1]) {
    await vscode.commands.executeCommand(
      'workbench.action.openSettings', `@id:parrotlet.${EXTRA_INDEX}`,
    );
  }
  return chosen === 'Install';
}

async function ofCheckout(folder: string): Promise<Source> {
  const constraints = join(folder, 'constraints.txt');
  const pinned = await isFile(constraints) ? ['--constraint', constraints] : [];
  return { name: `the checkout ${folder}`, args: [...pinned, folder] };
}

async function chooseWheel(): Promise<Source | undefined> {
  const files = await vscode.window.showOpenDialog({
    title: 'Select a Parrotlet Wheel',
    openLabel: 'Select',
    filters: { 'Python wheels': ['whl'] },
  });
  const path = files?.[0]?.fsPath;
  if (path !== undefined && !isOurWheel(path)) {
    void vscode.window.showErrorMessage(
      `${path} is not a wheel of Parrotlet. Select a file named parrotlet-….whl.`,
    );
    return undefined;
  }
  return path === undefined ? undefined : { name: `the wheel ${path}`, args: [path] };
}

async function chooseRequirement(version: string): Promise<Source | undefined> {
  const text = await vscode.window.showInputBox({
    title: 'Install the Parrotlet Server from a Package Index',
    prompt: 'Requirement that pip installs. Make sure that the package is the one you mean.',
    value: `parrotlet==${version}`,
    ignoreFocusOut: true,
    validateInput: (input) => (
      isRequirement(input) ? undefined : 'Enter a requirement such as parrotlet==0.2.0'
    ),
  });
  const requirement = text?.trim();
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
  return folder === undefined ? undefined : ofCheckout(folder);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await vscode.workspace.fs.stat(vscode.Uri.file(path))).type === vscode.FileType.File;
  } catch {
    return false;
  }
}

/**
 * Follows which Python the user selects: as soon as the workspace is trusted, and an extension is
 * there that can be asked. Both may come late.
 */

import * as vscode from 'vscode';
import { onDidChangePython } from './discovery';

/** Calls back when the user selects another Python. */
export class PythonChoice implements vscode.Disposable {
  private readonly listeners: readonly vscode.Disposable[];
  private following: Promise<vscode.Disposable | undefined> = Promise.resolve(undefined);

  constructor(private readonly onChanged: () => void) {
    this.listeners = [
      vscode.workspace.onDidGrantWorkspaceTrust(() => void this.follow()),
      vscode.extensions.onDidChange(() => void this.follow()),
    ];
  }

  /** Starts to follow it, unless it is followed already. */
  async follow(): Promise<void> {
    this.following = this.following.then(
      (listener) => listener ?? onDidChangePython(this.onChanged),
    );
    await this.following;
  }

  dispose(): void {
    vscode.Disposable.from(...this.listeners).dispose();
    void this.following.then((listener) => listener?.dispose() as unknown);
  }
}

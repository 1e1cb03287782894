/** The item in the status bar: what Parrotlet is doing, and why; a click opens all actions. */

import * as vscode from 'vscode';

/** What the server says of itself, and what the extension says of a server that is not there. */
export interface StatusOfServer {
  readonly state: 'starting' | 'ready' | 'busy' | 'idle' | 'off' | 'error';
  readonly reason: string | null;
}

type State = StatusOfServer['state'] | 'waiting';

const ICONS: Record<State, string> = {
  waiting: '$(circle-outline)',
  starting: '$(sync~spin)',
  ready: '$(pass)',
  busy: '$(loading~spin)',
  idle: '$(pass)',
  off: '$(circle-slash)',
  error: '$(warning)',
};
const WAITING = 'waiting for the first file to suggest in';
const BUSY_MS = 300; // what is busy for less is not worth a flicker

/** Shows the state. */
export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    'parrotlet.status', vscode.StatusBarAlignment.Right, 100,
  );
  private server: { state: State; reason: string | null } = { state: 'waiting', reason: null };
  private timer: NodeJS.Timeout | undefined;
  /** What runs, for those who want to know more. */
  details: string | undefined;

  /**
   * @param whyOff why nothing is suggested in the active editor, as "off …"; undefined if it is on
   */
  constructor(private readonly whyOff: () => string | undefined) {
    this.item.name = 'Parrotlet';
    this.item.command = 'parrotlet.menu';
    this.draw();
    this.item.show();
  }

  /** What Parrotlet is doing, as "ready" or "off for this workspace". */
  get told(): string {
    return this.off ?? this.toldOfServer;
  }

  /** What the server is doing, wherever it is wanted. */
  get toldOfServer(): string {
    const { state, reason } = this.server;
    const word = state === 'waiting' ? WAITING : state;
    return word + (reason ? `: ${reason}` : '');
  }

  /** Whether the server works, or will soon. */
  get isWell(): boolean {
    return this.server.state !== 'error';
  }

  /** Takes what the server says of itself. */
  report(server: StatusOfServer): void {
    clearTimeout(this.timer);
    const take = (): void => {
      this.server = server;
      this.draw();
    };
    if (server.state === 'busy') {
      this.timer = setTimeout(take, BUSY_MS);
    } else {
      take();
    }
  }

  /** Shows what holds now. */
  draw(): void {
    const state = this.off === undefined ? this.server.state : 'off';
    const { told } = this;
    this.item.text = `${ICONS[state]} Parrotlet`;
    this.item.backgroundColor = state === 'error'
      ? new vscode.ThemeColor('statusBarItem.warningBackground')
      : undefined;
    this.item.accessibilityInformation = { label: `Parrotlet, ${told}`, role: 'button' };
    const tooltip = new vscode.MarkdownString(undefined, true);
    tooltip.appendMarkdown('**Parrotlet** ').appendText(told);
    if (this.details !== undefined) {
      tooltip.appendMarkdown('\n\n').appendText(this.details);
    }
    tooltip.appendMarkdown('\n\nClick for all actions.');
    this.item.tooltip = tooltip;
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.item.dispose();
  }

  /** Why nothing is suggested in the active editor; that the server is in error matters more. */
  private get off(): string | undefined {
    return this.server.state === 'error' ? undefined : this.whyOff();
  }
}

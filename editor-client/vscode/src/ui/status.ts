/** The item in the status bar: what Parrotlet is doing, and why; a click opens all actions. */

import * as vscode from 'vscode';

/** What the server says of itself, and what the extension says of a server that is not there. */
export interface StatusOfServer {
  readonly state: 'starting' | 'ready' | 'busy' | 'idle' | 'off' | 'error';
  readonly reason: string | null;
}

type State = StatusOfServer['state'] | 'waiting' | 'installing';

const ICONS: Record<State, string> = {
  waiting: '$(circle-outline)',
  installing: '$(sync~spin)',
  starting: '$(sync~spin)',
  ready: '$(pass)',
  busy: '$(loading~spin)',
  idle: '$(pass)',
  off: '$(circle-slash)',
  error: '$(warning)',
};
const WORDS: Record<State, string> = {
  waiting: 'waiting for a file in a supported language',
  installing: 'installing its server',
  starting: 'starting',
  ready: 'ready',
  busy: 'working on a suggestion',
  idle: 'ready',
  off: 'off',
  error: 'not working',
};
const BUSY_MS = 300; // what is busy for less is not worth a flicker

/** Shows the state. */
export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    'parrotlet.status', vscode.StatusBarAlignment.Right, 100,
  );
  private server: { state: State; reason: string | null } = { state: 'waiting', reason: null };
  private phase: string | undefined;
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

  /** What Parrotlet is doing, as "Parrotlet is ready", without a full stop. */
  get sentence(): string {
    const { off } = this;
    return off === undefined ? this.sentenceOfServer('Parrotlet') : `Parrotlet is ${off}`;
  }

  /** What the server is doing, wherever it is wanted, as "The server is ready". */
  sentenceOfServer(subject: string): string {
    const { state, reason } = this.now;
    if (state === 'error') {
      return `${subject} has a problem${reason ? `: ${reason}` : ''}`;
    }
    return `${subject} is ${WORDS[state]}${reason ? `: ${reason}` : ''}`;
  }

  /** Whether the server works, or will soon. */
  get isWell(): boolean {
    return this.server.state !== 'error';
  }

  /** Whether the server is being installed. */
  get isInstalling(): boolean {
    return this.phase !== undefined;
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

  /** Shows how an installation goes, as "downloading torch", until it is undefined. */
  installing(phase: string | undefined): void {
    this.phase = phase;
    this.draw();
  }

  /** Shows what holds now. */
  draw(): void {
    const { sentence, off } = this;
    const state = off === undefined ? this.now.state : 'off';
    this.item.text = `${ICONS[state]} Parrotlet${state === 'installing' ? ': Installing…' : ''}`;
    this.item.backgroundColor = state === 'error'
      ? new vscode.ThemeColor('statusBarItem.warningBackground')
      : undefined;
    this.item.accessibilityInformation = { label: sentence, role: 'button' };
    const tooltip = new vscode.MarkdownString(undefined, true);
    tooltip.appendText(sentence);
    if (this.details !== undefined && state !== 'error') {
      tooltip.appendMarkdown('\n\n').appendText(this.details);
    }
    tooltip.appendMarkdown('\n\nClick to show all actions');
    this.item.tooltip = tooltip;
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.item.dispose();
  }

  /** What the server does, or what is done to get it. */
  private get now(): { state: State; reason: string | null } {
    return this.phase === undefined ? this.server : { state: 'installing', reason: this.phase };
  }

  /** Why nothing is suggested in the active editor; that there is no server matters more. */
  private get off(): string | undefined {
    return ['error', 'installing'].includes(this.now.state) ? undefined : this.whyOff();
  }
}

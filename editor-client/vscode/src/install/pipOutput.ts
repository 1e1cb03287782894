/** Reads pip's output: what it is doing, in readable words, and why it failed. */

// "  Downloading torch-2.9.0-cp311-cp311-linux_x86_64.whl (190.1 MB)", but not its metadata.
const FILE = String.raw`(?:\S*\/)?(\S+?)-\d\S*\.(?:whl|tar\.gz|zip)`;
const DOWNLOADING = new RegExp(String.raw`^\s*Downloading ${FILE} \(([\d.]+) (\w+)\)`);
const LOCAL_FILE = new RegExp(String.raw`^\s*(?:Using cached|Processing) ${FILE}(?: |$)`);
const COLLECTING = /^\s*Collecting ([\w.-]+)/;
const BUILDING = /^\s*Building wheels? for (?:collected packages: )?([\w.-]+)/;
const PREPARING = /^\s*(?:Processing |Installing build dep|Getting requirements|Preparing meta)/;
const INSTALLING = /^Installing collected packages: (.+)/;
/** Printed by `--progress-bar raw` during a download. */
const PROGRESS = /^Progress (\d+) of (\d+)/;

const FAILURES: readonly (readonly [RegExp, string])[] = [
  [/No space left on device|not enough (?:disk )?space/i, 'the disk is full'],
  [
    /NewConnectionError|Max retries exceeded|name resolution|ConnectionError|ConnectTimeout/,
    'pip could not reach the package index; check the network and pip’s configuration',
  ],
  [/SSLError|CERTIFICATE_VERIFY_FAILED/, 'pip could not verify the package index’s certificate'],
  [/No matching distribution found for (.+)/, 'pip found no package for $1 in its package index'],
  [/(\S+\.whl) is not a supported wheel/, '$1 does not fit this machine or this version of Python'],
  [/requires a different Python/, 'the package requires another version of Python'],
  [/ResolutionImpossible/, 'the versions of the required packages conflict'],
  [/Permission denied/, 'pip was not allowed to write a file'],
  [/^ERROR: (.+)/, 'pip reported: $1'],
];

/** The output of one run of pip, line by line. */
export class PipOutput {
  private downloading: string | undefined;
  private readonly lines: string[] = [];

  /** Adds a line; returns the phase that it begins, if it begins one. */
  addLine(line: string): string | undefined {
    this.lines.push(line);
    const [, done, total] = PROGRESS.exec(line) ?? [];
    if (done !== undefined && total !== undefined) {
      const percent = Math.floor((100 * Number(done)) / Math.max(1, Number(total)));
      return this.downloading && `${this.downloading}: ${percent}%`;
    }
    const phase = parsePhase(line);
    if (phase !== undefined) {
      this.downloading = DOWNLOADING.test(line) ? phase : undefined;
    }
    return phase;
  }

  /** Returns why pip failed, as part of a sentence. */
  describeFailure(exitCode: number | null): string {
    for (const [pattern, text] of FAILURES) {
      const match = this.lines.map((line) => pattern.exec(line)).find((one) => one !== null);
      if (match) {
        return text.replace('$1', () => (match[1] ?? '').replace(/[.\s]+$/, ''));
      }
    }
    return exitCode === null ? 'pip was stopped' : `pip ended with exit code ${exitCode}`;
  }
}

function parsePhase(line: string): string | undefined {
  const [, file, size, unit] = DOWNLOADING.exec(line) ?? [];
  if (file !== undefined) {
    const isLarge = unit === 'MB' || unit === 'GB';
    const amount = unit === 'MB' ? Math.round(Number(size)) : size;
    return `downloading ${file.replaceAll('_', '-')}${isLarge ? ` (${amount} ${unit})` : ''}`;
  }
  const packages = INSTALLING.exec(line)?.[1]?.split(',').length;
  if (packages !== undefined) {
    return `installing ${packages} ${packages === 1 ? 'package' : 'packages'}`;
  }
  const found = LOCAL_FILE.exec(line) ?? COLLECTING.exec(line);
  const built = BUILDING.exec(line)?.[1];
  return found ? `collecting ${(found[1] ?? '').replaceAll('_', '-')}`
    : built !== undefined ? `building ${built}`
    : PREPARING.test(line) ? 'preparing the package'
    : undefined;
}

const NAME = String.raw`[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?(?:\[[\w, .-]+\])?`;
const VERSION = String.raw`\s*(?:[=!~]=|[<>]=?)\s*[\w.*+!-]+\s*`;
/** A requirement as pip accepts it, but no option, URL or path. */
const REQUIREMENT = new RegExp(`^${NAME}(?:${VERSION}(?:,${VERSION})*)?$`);

/** Checks whether a text is a requirement such as `parrotlet==0.2.0`. */
export function isRequirement(text: string): boolean {
  return REQUIREMENT.test(text.trim());
}

/** Checks whether a file has the name of a wheel of Parrotlet. */
export function isParrotletWheel(path: string): boolean {
  const name = path.split(/[\\/]/).at(-1) ?? '';
  return /^parrotlet-\d[^-]*(?:-[^-]+){3,4}\.whl$/.test(name);
}

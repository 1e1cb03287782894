/**
 * Which interpreter runs a program. A virtual environment's programs stay executable when the
 * Python that they were installed with is removed or replaced by an upgrade.
 */

import { open } from 'node:fs/promises';
import { isAbsolute } from 'node:path';

const MAX_BYTES = 4096;
const SHEBANG = /^#! *(\S+)/;
/** How pip and uv write a path that no shebang can have: one with spaces, or a long one. */
const EXEC = /^#!\/bin\/sh\n'''exec' (?:"([^"\n]+)"|'([^'\n]+)'|(\S+)) "\$0"/;

/** Returns the path of the interpreter that a script names; undefined for other programs. */
export async function findInterpreter(program: string): Promise<string | undefined> {
  const head = await readHead(program);
  const groups = EXEC.exec(head) ?? SHEBANG.exec(head) ?? [];
  const path = groups.slice(1).find(Boolean);
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

async function readHead(file: string): Promise<string> {
  try {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch {
    return ''; // it can be run without being readable
  }
}

// Compares versions of the server with the oldest one this extension can talk to. Pure.

export const OLDEST_SERVER = '0.1.0';

/** The numbers of a version such as 0.1.0, 1.2 or 0.3.0.dev4+g1a2b; undefined if it does not begin with a number. */
export function numbers(version: string): number[] | undefined {
  const match = /^\s*v?(\d+(?:\.\d+)*)/.exec(version);
  return match?.[1]?.split('.').map(Number);
}

/** Whether `version` is older than `oldest`. An unknown version is not called old: the protocol will show. */
export function tooOld(version: string | undefined, oldest: string = OLDEST_SERVER): boolean {
  const have = numbers(version ?? ''),
    want = numbers(oldest);
  if (have === undefined || want === undefined) {
    return false;
  }
  for (let i = 0; i < Math.max(have.length, want.length); i++) {
    const difference = (have[i] ?? 0) - (want[i] ?? 0);
    if (difference !== 0) {
      return difference < 0;
    }
  }
  return false;
}

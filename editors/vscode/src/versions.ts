// Compares the server's version with the oldest supported one. Pure.

/** The oldest server version that this extension supports. */
export const OLDEST_SERVER = '0.1.0';

/** The leading numbers of a version such as 0.1.0, 1.2 or 0.3.0.dev4+g1a2b, or undefined if there are none. */
export function versionNumbers(version: string): number[] | undefined {
  const match = /^\s*v?(\d+(?:\.\d+)*)/.exec(version);
  return match?.[1]?.split('.').map(Number);
}

/** Whether `version` is older than `oldest`. An unknown version counts as new enough. */
export function isTooOld(version: string | undefined, oldest: string = OLDEST_SERVER): boolean {
  const have = versionNumbers(version ?? '');
  const want = versionNumbers(oldest);
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

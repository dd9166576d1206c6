// Decides whether and when a server that ended unexpectedly is started again. Pure: the caller passes the time.

const DELAYS_MS = [250, 1000, 3000, 6000];
const WINDOW_MS = 180_000;

/** Allows four restarts within three minutes, with growing delays, and no more until `reset`. */
export class RestartPolicy {
  private ends: number[] = [];

  /** Records an end at `now` (ms). Returns the delay before the next start (ms), or undefined to give up. */
  nextDelay(now: number): number | undefined {
    this.ends = this.ends.filter((end) => now - end < WINDOW_MS);
    this.ends.push(now);
    return DELAYS_MS[this.ends.length - 1];
  }

  /** How often the server ended within the last three minutes. */
  get count(): number {
    return this.ends.length;
  }

  reset(): void {
    this.ends = [];
  }
}

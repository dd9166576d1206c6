// Decides whether a server that ended by itself is started again, and when. Pure: the time is given.

const DELAYS_MS = [250, 1000, 3000, 6000];
const WINDOW_MS = 180_000;

/** Allows four restarts within three minutes, each later than the one before; then no more until `reset`. */
export class Restarts {
  private ends: number[] = [];

  /** The server ended at `now` (ms). Returns the delay in ms before it is started again, or undefined: give up. */
  next(now: number): number | undefined {
    this.ends = this.ends.filter((end) => now - end < WINDOW_MS);
    this.ends.push(now);
    return DELAYS_MS[this.ends.length - 1];
  }

  /** How often the server ended within the window. */
  get count(): number {
    return this.ends.length;
  }

  reset(): void {
    this.ends = [];
  }
}

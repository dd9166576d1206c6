// Waiting for a condition.

/** Polls `probe` until its result is true, and returns the result. The limit is generous for busy machines. */
export async function until(probe, what, ms = 60_000) {
  const start = Date.now();
  for (;;) {
    const value = await probe();
    if (value) {
      return value;
    }
    if (Date.now() - start > ms) {
      throw new Error(`waited ${ms / 1000} s for ${what}`);
    }
    await new Promise((done) => setTimeout(done, 40));
  }
}

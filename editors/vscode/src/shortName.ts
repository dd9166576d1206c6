// Names a file in few characters, for a hint at the end of a line. Pure.

/** The name of a file without its folders; with one of them if the file it is seen from has the same name. */
export function shortName(path: string, from: string): string {
  const parts = path.split('/');
  const same = parts.at(-1) === from.split('/').at(-1);
  return parts.slice(same ? -2 : -1).join('/');
}

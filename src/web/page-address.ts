/** The page's own folder, as its worker sees it: the worker's script lies in assets/ below it. */
export function pageAddress(): string {
  return new URL('../', self.location.href).href;
}

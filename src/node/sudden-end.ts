/** What must be removed if the process ends before its work could end in order. */
const cleanups = new Set<() => void>();

/**
 * Notes what to remove if the process ends all of a sudden.
 * @param cleanUp works without waiting; what it throws is ignored
 * @returns forgets it again
 */
export function atSuddenEnd(cleanUp: () => void): () => void {
  cleanups.add(cleanUp);
  return () => {
    cleanups.delete(cleanUp);
  };
}

/** Removes at once what was noted, the latest first. */
export function cleanUpNow(): void {
  for (const cleanUp of [...cleanups].reverse()) {
    try {
      cleanUp();
    } catch {
      // The next run removes it.
    }
  }
  cleanups.clear();
}

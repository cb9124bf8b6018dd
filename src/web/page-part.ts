/**
 * Waits for a part of the page that comes when it is needed: code, a font.
 * @throws Error with a sentence for the user
 */
export async function pagePart<Part>(loading: Promise<Part>): Promise<Part> {
  try {
    return await loading;
  } catch (cause) {
    throw new Error(
      'A part of the page could not be loaded; check the network, then reload the page and try again.',
      { cause },
    );
  }
}

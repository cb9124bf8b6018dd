/**
 * A plugin of TypeDoc: the site's pages are called by their first heading, not by their file's name.
 */
import { Converter } from 'typedoc';

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, page) => {
    const [first] = page.content;
    const [, heading] = /^\s*# (.+)\n/.exec(first?.text ?? '') ?? [];
    if (heading !== undefined) page.name = heading;
  });
}

/** What comes with the package: the command reads it from the package's folder, the page from its own. */

/** The bundled models, in weights/NAME. */
export const bundledModels = ['alice-gpt2', 'alice-pythia'] as const;

/** The text of a run that names none, as reports call it: its path within the package. */
export const defaultText = 'weights/text/alice.txt';

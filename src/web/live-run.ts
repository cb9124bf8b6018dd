import { sequenceNames } from '../analysis/report.ts';
import type { SequenceName } from '../analysis/report.ts';
import type { RunNews } from './messages.ts';
import type { ProfilePicture } from './profile-picture.ts';
import type { StripSequence } from './token-strip.ts';

/** What shows the tokens of a run that goes on. */
export interface LiveTokens {
  begin(sequences: Readonly<Record<SequenceName, StripSequence>>): void;
  know(sequence: SequenceName, maxLogSoftmax: ArrayLike<number>): void;
}

/** A run that goes on: the picture grows layer by layer, the tokens take their colours. */
export class LiveRun {
  #window: Extract<RunNews, { kind: 'window' }> | undefined;
  readonly #dimensions: Record<SequenceName, (number | undefined)[]> = { real: [], shuffled: [] };

  /** @param words what is run, as a sentence */
  constructor(
    private readonly picture: ProfilePicture,
    private readonly tokens: () => LiveTokens | undefined,
    private readonly words: string,
  ) {}

  take(news: RunNews): void {
    switch (news.kind) {
      case 'window': {
        this.#window = news;
        const of = (name: SequenceName): StripSequence => ({
          ids: news.ids[name],
          texts: news.texts?.[name],
          maxLogSoftmax: undefined,
          layers: undefined,
        });
        this.tokens()?.begin({ real: of('real'), shuffled: of('shuffled') });
        for (const name of sequenceNames)
          this.#dimensions[name] = new Array<undefined>(news.layers + 1).fill(undefined);
        break;
      }
      case 'layer':
        this.#dimensions[news.sequence][news.layer] = news.dimension;
        break;
      case 'softmax':
        this.tokens()?.know(news.sequence, news.values);
        return;
    }
    const { layers, components } = this.#window!;
    this.picture.grow({ layers, components, dimensions: this.#dimensions }, this.words);
  }
}

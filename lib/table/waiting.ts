// Waits for what a source gives, and no longer than whoever asked wants to.
import { atMost, CLOSING } from "../data/stream.js";
import { unlessAborted } from "../signals.js";

/**
 * What `items` gives, until the signal is aborted: then its reason is thrown at once, whether the source ever answers or not. Who ends this ends the source, and
 * waits a second at most for it to close; behind an answer that is still to come it closes by itself.
 */
export async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  let isWaiting = false;
  try {
    for (;;) {
      isWaiting = true;
      const { done, value } = await unlessAborted(signal, iterator.next());
      isWaiting = false;
      if (done === true) return;
      yield value;
    }
  } finally {
    const closing = (async () => iterator.return?.())().then(
      () => undefined,
      () => undefined,
    );
    if (!isWaiting) await atMost(CLOSING, closing);
  }
}

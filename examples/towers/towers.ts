import {
  adam,
  binaryCrossEntropy,
  embedding,
  fit,
  linear,
  mse,
  network,
  ops,
  relu,
  sequential,
  spec,
  standardize,
} from "carillon";
import { FILMS, type Ratings, USERS } from "./ratings.js";

/** Two towers, of who watches and of what is watched: their answers, multiplied, say what one makes of the other. */
function makeTowers(size: number) {
  return network({
    inputs: { user: spec(["batch"], "i32"), film: spec(["batch"], "i32"), age: spec(["batch", 1]) },
    layers: {
      users: embedding(USERS, size),
      films: embedding(FILMS, size),
      person: sequential(linear(size + 1, 32), relu(), linear(32, size)),
      picture: sequential(linear(size, 32), relu(), linear(32, size)),
      rate: linear(size, 1),
      finish: linear(size, 1),
    },
    forward({ user, film, age }, { users, films, person, picture, rate, finish }) {
      const both = ops.multiply(person(ops.concat([users(user), age])), picture(films(film)));
      return { rating: rate(both), finished: finish(both) };
    },
  });
}

/** Figures of an epoch. */
export interface Progress {
  readonly epoch: number;
  readonly rmse: number;
  readonly auc: number;
}

/** Towers that have learned from ratings; `tell` hears the figures of the validation set after every epoch. */
export async function learnRatings(
  data: Ratings,
  validation: Ratings,
  { epochs, seed }: { readonly epochs: number; readonly seed: number },
  tell: (progress: Progress) => void = () => undefined,
) {
  const towers = makeTowers(8);
  const run = fit(towers, {
    data,
    validation,
    loss: { rating: mse(), finished: binaryCrossEntropy() },
    lossWeights: { rating: 1, finished: 0.5 },
    metrics: { rating: ["rmse"], finished: ["auc"] },
    inputs: { age: standardize() },
    optimizer: adam({ lr: 0.01 }),
    batchSize: 64,
    epochs,
    seed,
  });
  for await (const event of run) {
    if (event.kind !== "epoch") continue;
    const { metrics } = event.validation;
    tell({ epoch: event.epoch, rmse: metrics["rating.rmse"], auc: metrics["finished.auc"] });
  }
  return towers;
}
